/* Clock: the offset between each rank's clock and rank 0's, to put events of several hosts on one time axis.
 *
 *     ATL_TRY(atl_clock_measure(world, false, &at_start));   collective, before the work
 *     ...
 *     ATL_TRY(atl_clock_measure(world, false, &at_end));     and after it
 *     double on_rank_0 = atl_clock_align(&at_start, &at_end, mine);
 *
 * Ranks of one host share a clock. Other ranks exchange pings with rank 0 and keep the one with the smallest round
 * trip; its error is at most half of that. Between the two measurements, drift is interpolated linearly.
 */
#ifndef ATL_PARTITION_CLOCK_H
#define ATL_PARTITION_CLOCK_H

#include "partition/comm.h"

typedef struct {
  double at;     /* this rank's clock at the measurement, in seconds */
  double offset; /* seconds to add to this rank's clock to get rank 0's */
  double error;  /* largest possible error of offset, in seconds */
} atl_clock_t;

/* also_on_host: ranks on rank 0's host exchange pings too (for tests). Collective. MEMORY, COMM. */
atl_status_t atl_clock_measure(const atl_comm_t *comm, bool also_on_host, atl_clock_t *clock);
/* Converts `seconds` of this rank's clock to rank 0's. Pure. */
double atl_clock_align(const atl_clock_t *start, const atl_clock_t *end, double seconds);

#endif
