/* Lock: keeps two runs out of one folder. A run takes a folder by creating its subfolder `.candidates` with mkdir,
 * which is atomic on every file system, network ones included, and fails if the subfolder exists.
 * `.candidates/lock.json` names the holder: host, pid, start time. Local.
 *
 *     ATL_TRY(atl_lock_take("out"));             before anything else is made in the folder
 *     atl_lock_release("out");                   when run.json says how the run ended
 *
 * A killed run leaves its lock behind; atl_lock_explain says whether the holder is still alive.
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_LOCK_H
#define ATL_COORDINATOR_RUNFOLDER_LOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

/* Makes the folder and its parents, and takes it. INPUT: another run holds it; the message names its host, pid and
 * start time. IO. After a failure to write lock.json, `.candidates` is removed again. */
atl_status_t atl_lock_take(const char *folder);
/* Removes lock.json. `.candidates` stays, as it may hold candidates of incomplete prompts. */
void atl_lock_release(const char *folder);
/* True if the folder is locked. Then `text` says who holds the lock, whether that process is alive, and what to do. */
bool atl_lock_explain(const char *folder, char *text, size_t text_bytes);

#endif
