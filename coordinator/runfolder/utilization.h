/* Utilization: the share of time that roles were busy, from their latest reports, for the progress line. Local.
 *
 *     ATL_TRY(atl_utilization_init(&utilization, n_ranks, &arena));
 *     atl_utilization_add(&utilization, &report);                          as they come
 *     atl_progress_share_t shares[ATL_N_UTILIZATIONS];
 *     atl_utilization_get(&utilization, shares);
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_UTILIZATION_H
#define ATL_COORDINATOR_RUNFOLDER_UTILIZATION_H

#include "coordinator/runfolder/progress.h"
#include "proto/wire.h"

enum { ATL_N_UTILIZATIONS = 2 }; /* decoders, stages */

typedef struct {
  double busy, waiting; /* seconds */
} atl_role_seconds_t;

typedef struct {
  int32_t n_ranks;
  atl_role_seconds_t *seconds; /* (n_ranks, ATL_N_UTILIZATIONS): from each role's latest report */
} atl_utilization_t;

/* Takes the seconds from the arena. MEMORY. */
atl_status_t atl_utilization_init(atl_utilization_t *utilization, int32_t n_ranks, atl_arena_t *arena);
/* Replaces the role's previous report. */
void atl_utilization_add(atl_utilization_t *utilization, const atl_report_t *report);
/* Shares of the time that decoders and stages have been busy so far, 0 to 1. */
void atl_utilization_get(const atl_utilization_t *utilization, atl_progress_share_t shares[ATL_N_UTILIZATIONS]);

#endif
