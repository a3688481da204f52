/* Available: how much memory this process may still take before the system refuses it or kills the process. The
 * smallest of these limits bounds the processes of a host together; RLIMIT_AS bounds each process:
 *
 *   MemAvailable of /proc/meminfo                           the host
 *   memory.max and memory.high, minus current usage         cgroup v2, this group and every group above it
 *   memory.limit_in_bytes, minus current usage              cgroup v1, likewise
 *   SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU x SLURM_CPUS_ON_NODE    what the job requested on this host
 *
 * Page cache that the kernel can drop at once (inactive_file) does not count as usage. Linux only: on other systems
 * both values are 0.
 *
 *     atl_available_t available;
 *     atl_available_get("", &available);
 *     printf("%lld bytes (%s)\n", (long long)available.host_bytes, available.host_limit);
 */
#ifndef ATL_COMMON_AVAILABLE_H
#define ATL_COMMON_AVAILABLE_H

#include <stdint.h>

typedef struct {
  int64_t host_bytes;     /* for the processes of this host together; 0: unknown */
  int64_t process_bytes;  /* for this process alone; 0: no such limit */
  const char *host_limit; /* the limit that set host_bytes, for messages: "MemAvailable", ...; never NULL, static */
} atl_available_t;

/* `root` is put before /proc and /sys; "" outside tests. An exhausted limit counts as 1 byte. Cannot fail. Local. */
void atl_available_get(const char *root, atl_available_t *available);

#endif
