/* Process: is another process of this host still there? A pid alone does not say, as pids are used again: its time of
 * start goes with it. Linux (/proc); elsewhere nothing is known.
 *
 *     int64_t start = atl_process_start(pid);                    0: there is no such process
 *     bool is_the_same_one_alive = start != 0 && atl_process_start(pid) == start;
 */
#ifndef ATL_COMMON_PROCESS_H
#define ATL_COMMON_PROCESS_H

#include <stdint.h>

enum { ATL_HOST_BYTES = 256 };

/* When a process started, in clock ticks since boot (proc(5), field 22); 0 when there is none or it is a zombie. */
int64_t atl_process_start(int64_t pid);
/* This host's name; "?" when it has none. Returns name. */
const char *atl_process_host(char name[ATL_HOST_BYTES]);

#endif
