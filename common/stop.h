/* Stop: signals that ask a run to end cleanly. The handler only stores the first signal; the coordinator polls for it
 * between messages.
 *
 *   SIGTERM            scancel, kill, mpirun when a rank has died     SIGHUP     the terminal was closed
 *   SIGINT             Ctrl-C                                         SIGXCPU    a limit on CPU time is near
 *   SIGUSR1, SIGUSR2   Slurm (--signal) and LSF send them before a time limit
 *
 * A second SIGINT ends the process at once. The others may arrive twice, from the scheduler and from mpirun. SIGHUP
 * stays ignored if it was ignored when the process started (nohup). */
#ifndef ATL_COMMON_STOP_H
#define ATL_COMMON_STOP_H

#include <stdbool.h>

/* Installs the handlers. Called once on every rank: a signal sent to all ranks would kill a rank without them. */
void atl_stop_watch(void);
bool atl_stop_is_requested(void);
/* The name of the first signal ("SIGTERM"); NULL if there was none. Static. */
const char *atl_stop_signal(void);

#endif
