/* Stop: signals that ask a run to end cleanly. The handler notes which one came and nothing else; the coordinator looks
 * between two pieces of work.
 *
 *   SIGTERM            scancel, kill, mpirun when a rank has died     SIGHUP     the terminal was closed
 *   SIGINT             Ctrl-C                                         SIGXCPU    a limit on CPU time is near
 *   SIGUSR1, SIGUSR2   what Slurm (--signal) and LSF send before a time limit
 *
 * A second SIGINT ends the process at once; the others may come twice, from the scheduler and from mpirun. SIGHUP that
 * was ignored when the process began (nohup) stays ignored. */
#ifndef ATL_COMMON_STOP_H
#define ATL_COMMON_STOP_H

#include <stdbool.h>

/* From now on signals are noted. Once, on every rank: a rank that did not would be ended by a signal to all. */
void atl_stop_watch(void);
bool atl_stop_is_requested(void);
/* The signal that came first, "SIGTERM"; NULL while none has. Static. */
const char *atl_stop_signal(void);

#endif
