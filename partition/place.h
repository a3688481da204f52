/* Place: where a rank runs: the host, its cpus and free memory, the rank's threads, and the ranks that share them. Found
 * once at start, for the log, for the warning about oversubscribed cores, and for the limits of a plan.
 */
#ifndef ATL_PARTITION_PLACE_H
#define ATL_PARTITION_PLACE_H

#include "partition/comm.h"

typedef struct {
  char text[512]; /* one line for the log */
  int n_ranks_on_host;
  bool is_sharing_cores; /* more threads than cpus among the ranks whose cpusets meet: right results, no measure of
                            speed */
  double n_cores;        /* that all ranks of the launch can keep busy together */
  int64_t free_bytes;    /* of memory a rank (common/available), where there is least; 0: not known */
  double hop_seconds; /* of an empty packet from rank to rank, and the bytes a second that a large one adds; filled */
  double hop_bytes;   /* by atl_place_measure_hops, else 0: not known */
} atl_place_t;

/* Collective over world. */
atl_status_t atl_place_find(const atl_comm_t *world, atl_place_t *place);
/* Sends small and large packets around all ranks (partition/measure), some milliseconds. Nothing is measured, and
 * nothing filled in, where ranks share cores or there is only one. Collective over world. */
atl_status_t atl_place_measure_hops(const atl_comm_t *world, atl_place_t *place);

#endif
