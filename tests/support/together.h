/* TAP over ranks: rank 0 prints one line per check, which passes if it passes on every rank. */
#ifndef ATL_TESTS_SUPPORT_TOGETHER_H
#define ATL_TESTS_SUPPORT_TOGETHER_H

#include "partition/comm.h"
#include "tests/support/tap.h"

/* Prints the check and, if it failed, the message of a rank on which it failed. Collective. */
static inline void together(const atl_comm_t *world, int is_ok, const char *name) {
  atl_status_t mine =
      is_ok ? ATL_OK : ATL_FAIL(INTERNAL, "failed on this rank; last failure: %s", atl_status_message());
  atl_status_t status = atl_comm_agree(world, mine);
  if (atl_comm_rank(world) != 0) return;
  TAP_OK(status == ATL_OK, name);
  if (status != ATL_OK) printf("# %s\n", atl_status_message());
}

/* Prints the plan and stops MPI. Returns the exit code: 1 on rank 0 if a check failed, else 0. Collective. */
static inline int together_done(atl_comm_t **world) {
  int code = atl_comm_rank(*world) == 0 ? tap_done() : 0;
  atl_comm_stop(world);
  return code;
}

#endif
