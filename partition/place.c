#include "partition/place.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "common/available.h"
#include "common/memory.h"
#include "partition/comm_private.h"
#include "partition/measure.h"

/* "0-3,8" */
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
} seat_t;

/* Do I and the ranks whose cpusets meet mine run more threads than there are cpus among us? */
static bool is_crowded(const seat_t *mine, const seat_t *seats, int n) {
  cpu_set_t all = mine->cpus, meeting;
  int n_threads = 0;
  for (int i = 0; i < n; i++) {
    CPU_AND(&meeting, &mine->cpus, &seats[i].cpus);
    if (CPU_COUNT(&meeting) == 0) continue;
    CPU_OR(&all, &all, &seats[i].cpus);
    n_threads += seats[i].n_threads;
  }
  return n_threads > CPU_COUNT(&all);
}

static atl_status_t look_around(const atl_comm_t *world, MPI_Comm host, const seat_t *mine, bool *is_sharing_cores,
                                int *n_on_host) {
  MPI_Comm_size(host, n_on_host);
  seat_t *seats;
  atl_status_t status = atl_comm_agree(world, ATL_NEW(*n_on_host, &seats));
  if (status != ATL_OK) ATL_DESTROY(&seats);
  ATL_TRY(status);
  int error = MPI_Allgather(mine, (int)sizeof *mine, MPI_BYTE, seats, (int)sizeof *mine, MPI_BYTE, host);
  if (error == MPI_SUCCESS) *is_sharing_cores = is_crowded(mine, seats, *n_on_host);
  ATL_DESTROY(&seats);
  ATL_MPI(error, "comparing the cpus of a host's ranks");
  return ATL_OK;
}

/* Memory that this rank may take: its part of what its host's ranks share, or a limit of its own; 0: not known. */
static double find_free_bytes(int n_ranks_on_host, const char **limit) {
  atl_available_t available;
  atl_available_get("", &available);
  double part = (double)available.host_bytes / n_ranks_on_host, own = (double)available.process_bytes;
  bool is_own = available.process_bytes > 0 && (available.host_bytes == 0 || own < part);
  *limit = is_own ? "RLIMIT_AS" : available.host_limit;
  return is_own ? own : part;
}

/* Cores that this rank can keep busy: its threads, or its part of the cpus that several ranks share. */
static double count_cores(const seat_t *mine, const atl_place_t *place) {
  double n_cpus = CPU_COUNT(&mine->cpus);
  if (place->is_sharing_cores) n_cpus /= place->n_ranks_on_host;
  return n_cpus < mine->n_threads ? n_cpus : mine->n_threads;
}

atl_status_t atl_place_find(const atl_comm_t *world, atl_place_t *place) {
  seat_t mine;
  memset(&mine, 0, sizeof mine);
  memset(place, 0, sizeof *place);
  if (sched_getaffinity(0, sizeof mine.cpus, &mine.cpus) != 0) CPU_ZERO(&mine.cpus);
  mine.n_threads = omp_get_max_threads();
  MPI_Comm host;
  int n_name;
  ATL_MPI(MPI_Comm_split_type(world->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &host),
          "finding the ranks of this host");
  atl_status_t status = look_around(world, host, &mine, &place->is_sharing_cores, &place->n_ranks_on_host);
  MPI_Comm_free(&host);
  ATL_TRY(status);
  const char *limit;
  double n_cores = count_cores(&mine, place), free = find_free_bytes(place->n_ranks_on_host, &limit), least;
  ATL_MPI(MPI_Allreduce(&n_cores, &place->n_cores, 1, MPI_DOUBLE, MPI_SUM, world->comm), "counting cores");
  ATL_MPI(MPI_Allreduce(&free, &least, 1, MPI_DOUBLE, MPI_MIN, world->comm), "comparing free memory");
  place->free_bytes = (int64_t)least;
  char name[MPI_MAX_PROCESSOR_NAME] = "?", cpus[128];
  MPI_Get_processor_name(name, &n_name);
  print_cpus(&mine.cpus, cpus, sizeof cpus);
  snprintf(place->text, sizeof place->text,
           "host %s, cpus %s, %d thread%s, %d rank%s on this host, %.0f MiB for each (%s)%s", name, cpus,
           mine.n_threads, mine.n_threads == 1 ? "" : "s", place->n_ranks_on_host,
           place->n_ranks_on_host == 1 ? "" : "s", free / (1 << 20), limit,
           place->is_sharing_cores ? ", sharing cores (timings mean little)" : "");
  return ATL_OK;
}

atl_status_t atl_place_measure_hops(const atl_comm_t *world, atl_place_t *place) {
  static const atl_ring_load_t small = {1, 16, 1, 30}, large = {32, 1024, 1, 30};
  int is_crowded_here = place->is_sharing_cores, is_crowded_anywhere;
  ATL_MPI(MPI_Allreduce(&is_crowded_here, &is_crowded_anywhere, 1, MPI_INT, MPI_MAX, world->comm), "comparing places");
  if (world->size == 1 || is_crowded_anywhere) return ATL_OK;
  atl_ring_times_t few, many;
  ATL_TRY(atl_measure_ring(world, &small, &few));
  ATL_TRY(atl_measure_ring(world, &large, &many));
  place->hop_seconds = few.hop;
  if (many.hop > few.hop) place->hop_bytes = (many.bytes - few.bytes) / (many.hop - few.hop);
  return ATL_OK;
}
