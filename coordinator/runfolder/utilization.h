/* Utilization: how much of their time the roles of a run work, from their latest reports, for the progress line.
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
  atl_role_seconds_t *seconds; /* (n_ranks, ATL_N_UTILIZATIONS): the latest report of each */
} atl_utilization_t;

/* MEMORY. The seconds live in the arena. */
atl_status_t atl_utilization_init(atl_utilization_t *utilization, int32_t n_ranks, atl_arena_t *arena);
/* Replaces what the role has reported before. */
void atl_utilization_add(atl_utilization_t *utilization, const atl_report_t *report);
/* The share of the time that decoders and stages have worked so far. */
void atl_utilization_get(const atl_utilization_t *utilization, atl_progress_share_t shares[ATL_N_UTILIZATIONS]);

#endif
