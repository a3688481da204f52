/* Place: where a rank runs: host, cpuset, free memory, threads, and the ranks it shares them with. Found once at start;
 * used by the log, the warning about oversubscribed cores, and the plan's limits.
 *
 *     atl_place_t place;
 *     ATL_TRY(atl_place_find(world, &place));               collective over world
 *     ATL_TRY(atl_place_measure_hops(world, &place));       collective over world
 */
#ifndef ATL_PARTITION_PLACE_H
#define ATL_PARTITION_PLACE_H

#include "partition/comm.h"

typedef struct {
  char text[512]; /* one line for the log */
  int n_ranks_on_host;
  bool is_sharing_cores; /* ranks with overlapping cpusets run more threads than cpus: results are right, timings not */
  double n_cores;        /* cores that all ranks of the launch can keep busy together */
  int64_t free_bytes;    /* memory per rank (common/available), the minimum over ranks; 0: unknown */
  /* Filled in by atl_place_measure_hops; 0: unknown. */
  double hop_seconds; /* of a small packet from rank to rank */
  double hop_bytes;   /* bytes per second of a large one beyond that */
} atl_place_t;

/* Fills in everything except the hops. Collective over world. MEMORY, COMM. */
atl_status_t atl_place_find(const atl_comm_t *world, atl_place_t *place);
/* Sends small and large packets around all ranks (partition/measure), for some milliseconds. Does nothing when ranks
 * anywhere share cores or there is only one rank. Collective over world. MEMORY, COMM. */
atl_status_t atl_place_measure_hops(const atl_comm_t *world, atl_place_t *place);

#endif
