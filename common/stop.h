/* Stop: SIGTERM, SIGINT and SIGUSR1 (what Slurm sends before a time limit) ask a run to end cleanly. The handler sets a
 * flag and nothing else; the coordinator looks at it between two pieces of work. A second SIGINT (Ctrl-C) ends the
 * process at once; the others may come twice, from Slurm and from mpirun. */
#ifndef ATL_COMMON_STOP_H
#define ATL_COMMON_STOP_H

#include <stdbool.h>

/* From now on signals set the flag. Once, on every rank: a rank that did not would be ended by a signal to all. */
void atl_stop_watch(void);
bool atl_stop_is_requested(void);

#endif
