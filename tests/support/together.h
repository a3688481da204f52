/* TAP over ranks: rank 0 prints one line a promise, which holds when it holds on every rank. */
#ifndef ATL_TESTS_SUPPORT_TOGETHER_H
#define ATL_TESTS_SUPPORT_TOGETHER_H

#include "partition/comm.h"
#include "tests/support/tap.h"

/* Collective. Prints the culprit's message when a rank fails. */
static inline void together(const atl_comm_t *world, int is_ok, const char *name) {
  atl_status_t mine = is_ok ? ATL_OK : ATL_FAIL(INTERNAL, "not so here; last failure: %s", atl_status_message());
  atl_status_t status = atl_comm_agree(world, mine);
  if (atl_comm_rank(world) != 0) return;
  TAP_OK(status == ATL_OK, name);
  if (status != ATL_OK) printf("# %s\n", atl_status_message());
}

/* Collective. The exit code: rank 0's verdict on rank 0, success elsewhere. */
static inline int together_done(atl_comm_t **world) {
  int code = atl_comm_rank(*world) == 0 ? tap_done() : 0;
  atl_comm_stop(world);
  return code;
}

#endif
