/* Process: tells whether a process of this host is still alive. A pid alone is not enough, as pids are reused; the pid
 * with its start time is unique. Linux only (/proc): on other systems start times are 0. Local.
 *
 *     int64_t start = atl_process_start(pid);                              stored; 0: no such process
 *     bool is_alive = start != 0 && atl_process_start(pid) == start;       later
 */
#ifndef ATL_COMMON_PROCESS_H
#define ATL_COMMON_PROCESS_H

#include <stdint.h>

enum { ATL_HOST_BYTES = 256 };

/* Start time of a process in clock ticks since boot (proc(5), field 22); 0 if it does not exist or is a zombie. */
int64_t atl_process_start(int64_t pid);
/* Writes this host's name, or "?" if it has none, into name; returns name. */
const char *atl_process_host(char name[ATL_HOST_BYTES]);

#endif
