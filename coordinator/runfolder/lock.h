/* Lock: keeps two runs out of one folder. The folder `.candidates` is made with a mkdir that must not find it, which is
 * atomic on every file system, network ones included; `.candidates/lock.json` in it says who did: host, pid, start.
 *
 *     ATL_TRY(atl_lock_take("out"));             before anything else is made in the folder
 *     atl_lock_release("out");                   when run.json says how the run ended
 *
 * A killed run leaves its lock behind; atl_lock_explain tells whether the holder is still there. Local.
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_LOCK_H
#define ATL_COORDINATOR_RUNFOLDER_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

/* Makes the folder with its parents, and takes it. INPUT when another run has it: the message names its host, pid and
 * start. IO. On failure nothing is left that was not there. */
atl_status_t atl_lock_take(const char *folder);
/* Removes lock.json; .candidates stays, as candidates may lie in it. */
void atl_lock_release(const char *folder);
/* Is there a lock? Then text says in a clause who holds it and whether that process is alive, and what can be done. */
bool atl_lock_explain(const char *folder, char *text, size_t text_bytes);

#endif
