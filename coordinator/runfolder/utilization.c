#include "coordinator/runfolder/utilization.h"

static const struct {
  atl_role_kind_t kind;
  const char *name;
} kinds[ATL_N_UTILIZATIONS] = {{ATL_ROLE_DECODER, "decoders"}, {ATL_ROLE_STAGE, "stages"}};

atl_status_t atl_utilization_init(atl_utilization_t *u, int32_t n_ranks, atl_arena_t *arena) {
  u->n_ranks = n_ranks;
  return ATL_TAKE(arena, ATL_N_UTILIZATIONS * n_ranks, &u->seconds);
}

void atl_utilization_add(atl_utilization_t *u, const atl_report_t *report) {
  for (int i = 0; i < ATL_N_UTILIZATIONS; i++)
    if (report->role.kind == kinds[i].kind && report->rank < u->n_ranks)
      u->seconds[ATL_N_UTILIZATIONS * report->rank + i] =
          (atl_role_seconds_t){report->busy + report->io, report->waiting};
}

void atl_utilization_get(const atl_utilization_t *u, atl_progress_share_t shares[ATL_N_UTILIZATIONS]) {
  for (int kind = 0; kind < ATL_N_UTILIZATIONS; kind++) {
    double busy = 0, waiting = 0;
    for (int32_t i = 0; i < u->n_ranks; i++) {
      busy += u->seconds[ATL_N_UTILIZATIONS * i + kind].busy;
      waiting += u->seconds[ATL_N_UTILIZATIONS * i + kind].waiting;
    }
    double all = busy + waiting;
    shares[kind] = (atl_progress_share_t){kinds[kind].name, all > 0 ? busy / all : 0};
  }
}
