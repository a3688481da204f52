#include "partition/place.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "common/available.h"
#include "common/memory.h"
#include "partition/comm_private.h"
#include "partition/measure.h"

/* Formats the cpuset like "0-3,8". */
static void print_cpus(const cpu_set_t *cpus, char *text, size_t text_bytes) {
  size_t used = 0;
  text[0] = '\0';
  for (size_t first = 0; first < CPU_SETSIZE && used + 16 < text_bytes; first++) {
    if (!CPU_ISSET(first, cpus)) continue;
    size_t last = first;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus)) last++;
    used += (size_t)snprintf(text + used, text_bytes - used, used == 0 ? "%zu" : ",%zu", first);
    if (last > first) used += (size_t)snprintf(text + used, text_bytes - used, "-%zu", last);
    first = last;
  }
}

typedef struct {
  cpu_set_t cpus;
  int n_threads;
} affinity_t;

/* Do the ranks whose cpusets intersect mine run more threads than the union of these sets has cpus? */
static bool is_oversubscribed(const affinity_t *mine, const affinity_t *all_affinities, int n) {
  cpu_set_t all = mine->cpus, meeting;
  int n_threads = 0;
  for (int i = 0; i < n; i++) {
    CPU_AND(&meeting, &mine->cpus, &all_affinities[i].cpus);
    if (CPU_COUNT(&meeting) == 0) continue;
    CPU_OR(&all, &all, &all_affinities[i].cpus);
    n_threads += all_affinities[i].n_threads;
  }
  return n_threads > CPU_COUNT(&all);
}

static atl_status_t gather_affinity(const atl_comm_t *world, const atl_comm_t *local, const affinity_t *mine,
                                    bool *is_sharing_cores) {
  affinity_t *all_affinities;
  atl_status_t status = atl_comm_agree(world, ATL_NEW(local->size, &all_affinities));
  if (status == ATL_OK) status = atl_comm_all_gather(local, mine, sizeof *mine, all_affinities);
  if (status == ATL_OK) *is_sharing_cores = is_oversubscribed(mine, all_affinities, local->size);
  ATL_DESTROY(&all_affinities);
  return status;
}

/* Memory that this rank may use, in bytes: an equal part of what the host's ranks share, or its own limit if smaller;
 * 0: unknown. */
static double find_free_bytes(int n_ranks_on_host, const char **limit) {
  atl_available_t available;
  atl_available_get("", &available);
  double part = (double)available.host_bytes / n_ranks_on_host, own = (double)available.process_bytes;
  bool is_own = available.process_bytes > 0 && (available.host_bytes == 0 || own < part);
  *limit = is_own ? "RLIMIT_AS" : available.host_limit;
  return is_own ? own : part;
}

/* Cores that this rank can keep busy: its threads, at most its cpus, or its part of them when ranks share cores. */
static double count_cores(const affinity_t *mine, const atl_place_t *host) {
  double n_cpus = CPU_COUNT(&mine->cpus);
  if (host->is_sharing_cores) n_cpus /= host->n_ranks_on_host;
  return n_cpus < mine->n_threads ? n_cpus : mine->n_threads;
}

atl_status_t atl_place_find(const atl_comm_t *world, atl_place_t *host) {
  affinity_t mine;
  memset(&mine, 0, sizeof mine);
  memset(host, 0, sizeof *host);
  if (sched_getaffinity(0, sizeof mine.cpus, &mine.cpus) != 0) CPU_ZERO(&mine.cpus);
  mine.n_threads = omp_get_max_threads();
  atl_comm_t *local;
  ATL_TRY(atl_comm_split_host(world, &local));
  host->n_ranks_on_host = local->size;
  atl_status_t status = gather_affinity(world, local, &mine, &host->is_sharing_cores);
  atl_comm_destroy(&local);
  ATL_TRY(status);
  const char *limit;
  double free = find_free_bytes(host->n_ranks_on_host, &limit), least = free;
  host->n_cores = count_cores(&mine, host);
  ATL_TRY(atl_comm_all_reduce(world, ATL_REDUCE_SUM, &host->n_cores));
  ATL_TRY(atl_comm_all_reduce(world, ATL_REDUCE_MIN, &least));
  host->free_bytes = (int64_t)least;
  char name[ATL_HOST_NAME_BYTES], cpus[128];
  atl_comm_get_host_name(name);
  print_cpus(&mine.cpus, cpus, sizeof cpus);
  snprintf(host->text, sizeof host->text,
           "host %s, cpus %s, %d thread%s, %d rank%s on this host, %.0f MiB for each (%s)%s", name, cpus,
           mine.n_threads, mine.n_threads == 1 ? "" : "s", host->n_ranks_on_host, host->n_ranks_on_host == 1 ? "" : "s",
           free / (1 << 20), limit, host->is_sharing_cores ? ", oversubscribed (timings mean little)" : "");
  return ATL_OK;
}

atl_status_t atl_place_measure_hops(const atl_comm_t *world, atl_place_t *host) {
  static const atl_ring_load_t small = {1, 16, 1, 30}, large = {32, 1024, 1, 30};
  double is_sharing_anywhere = host->is_sharing_cores;
  ATL_TRY(atl_comm_all_reduce(world, ATL_REDUCE_MAX, &is_sharing_anywhere));
  if (world->size == 1 || is_sharing_anywhere > 0) return ATL_OK;
  atl_ring_times_t few, many;
  ATL_TRY(atl_measure_ring(world, &small, &few));
  ATL_TRY(atl_measure_ring(world, &large, &many));
  host->hop_seconds = few.hop;
  if (many.hop > few.hop) host->hop_bytes = (many.bytes - few.bytes) / (many.hop - few.hop);
  return ATL_OK;
}
