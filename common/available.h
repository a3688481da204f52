/* Available: how much memory this process may still take before the system refuses or kills it. The least of
 *
 *   MemAvailable of /proc/meminfo                           the host
 *   memory.max and memory.high less what is in use          cgroup v2, this group and each one above it
 *   memory.limit_in_bytes less what is in use               cgroup v1, likewise
 *   SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU x SLURM_CPUS_ON_NODE    what the job asked for on this host
 *
 * bounds the processes of a host together; RLIMIT_AS bounds each one. Page cache that the kernel can drop at once
 * (inactive_file) does not count as in use. Linux; elsewhere nothing is known.
 *
 *     atl_available_t available;
 *     atl_available_get("", &available);
 *     printf("%lld bytes (%s)\n", (long long)available.host_bytes, available.host_limit);
 */
#ifndef ATL_COMMON_AVAILABLE_H
#define ATL_COMMON_AVAILABLE_H

#include <stdint.h>

typedef struct {
  int64_t host_bytes;     /* for the processes of this host together; 0: not known */
  int64_t process_bytes;  /* for this process; 0: no limit of its own */
  const char *host_limit; /* what bounds host_bytes: "MemAvailable", "cgroup", ...; never NULL, static */
} atl_available_t;

/* root: put before /proc and /sys; "" outside tests. A bound that is exhausted counts as 1 byte. Local. */
void atl_available_get(const char *root, atl_available_t *available);

#endif
