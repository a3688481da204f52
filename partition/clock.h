/* Clock: how far each rank's clock is from rank 0's, so that what happened on several hosts can be put on one line.
 *
 *     ATL_TRY(atl_clock_measure(world, false, &at_start));   collective, before the work
 *     ...
 *     ATL_TRY(atl_clock_measure(world, false, &at_end));     and after it
 *     double on_rank_0 = atl_clock_align(&at_start, &at_end, mine);
 *
 * Ranks of one host share their clock. Others exchange pings with rank 0: of several, the one that came back first says
 * most, and is wrong by half its way at most. Between the two measurements the drift is taken as even.
 */
#ifndef ATL_PARTITION_CLOCK_H
#define ATL_PARTITION_CLOCK_H

#include "partition/comm.h"

typedef struct {
  double at;     /* this rank's seconds when it was measured */
  double offset; /* to be added to them for rank 0's */
  double error;  /* at most */
} atl_clock_t;

/* also_on_host: exchange pings also with ranks of rank 0's own host (tests). Collective. */
atl_status_t atl_clock_measure(const atl_comm_t *comm, bool also_on_host, atl_clock_t *clock);
/* Pure. */
double atl_clock_align(const atl_clock_t *start, const atl_clock_t *end, double seconds);

#endif
