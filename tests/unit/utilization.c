// TEST np=1
#include "coordinator/runfolder/utilization.h"

#include "common/memory.h"
#include "tests/support/tap.h"

static void add(atl_utilization_t *u, int32_t rank, atl_role_kind_t kind, double busy, double io, double waiting) {
  atl_utilization_add(
      u, &(atl_report_t){.rank = rank, .role = {.kind = kind}, .busy = busy, .io = io, .waiting = waiting});
}

int main(void) {
  atl_arena_t arena = {0};
  atl_utilization_t u;
  atl_progress_share_t shares[ATL_N_UTILIZATIONS];
  TAP_STATUS(ATL_OK, atl_utilization_init(&u, 3, &arena), "the utilization of three ranks");
  atl_utilization_get(&u, shares);
  TAP_OK(shares[0].busy == 0 && shares[1].busy == 0, "before the first report nothing is busy");
  TAP_OK(strcmp(shares[0].role, "decoders") == 0 && strcmp(shares[1].role, "stages") == 0, "roles are named in plural");
  add(&u, 1, ATL_ROLE_STAGE, 9, 0, 1);
  add(&u, 1, ATL_ROLE_STAGE, 3, 0, 1);
  add(&u, 2, ATL_ROLE_STAGE, 1, 0, 3);
  add(&u, 1, ATL_ROLE_DECODER, 1, 1, 6);
  add(&u, 0, ATL_ROLE_COORDINATOR, 50, 0, 0);
  add(&u, 3, ATL_ROLE_STAGE, 50, 0, 0);
  atl_utilization_get(&u, shares);
  TAP_OK(shares[1].busy == 0.5, "stages: the latest report of each rank, summed; a rank that is none is ignored");
  TAP_OK(shares[0].busy == 0.25, "decoders: writing pictures counts as work");
  atl_arena_clear(&arena);
  TAP_OK(atl_memory_in_use_bytes() == 0, "the utilization leaks nothing");
  return tap_done();
}
