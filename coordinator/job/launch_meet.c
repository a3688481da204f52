/* Synchronization before the loop. Each phase of the start ends with an agreement, which rank 0 enters last, so that it
 * can name the ranks that have not come. compare checks that all ranks compute with the same model and kernels. */
#include <string.h>

#include "common/memory.h"
#include "coordinator/job/fingerprint.h"
#include "coordinator/job/launch_private.h"
#include "partition/tags.h"

/* Waits for ATL_TAG_ARRIVED from every rank. */
static atl_status_t wait_for_ranks(atl_launch_t *l, const char *what) {
  int n_missing = atl_comm_size(l->world) - 1;
  atl_peers_begin(l->peers, what);
  for (int n_idle = 0; n_missing > 0;) {
    atl_message_t message;
    ATL_TRY(atl_mailbox_poll(l->traffic.results, &message));
    if (message.bytes == NULL) {
      ATL_TRY(atl_peers_check(l->peers, atl_mailbox_source(l->traffic.results)));
      atl_launch_rest(n_idle++);
      continue;
    }
    ATL_CHECK(message.tag == ATL_TAG_ARRIVED, INTERNAL, "received tag %d from rank %d before the run began",
              message.tag, message.source);
    atl_peers_hear(l->peers, message.source);
    atl_peers_excuse(l->peers, message.source);
    n_missing--;
    n_idle = 0;
  }
  return ATL_OK;
}

atl_status_t atl_launch_meet(atl_launch_t *l, const char *what, atl_status_t status) {
  atl_status_t waited =
      l->is_root ? wait_for_ranks(l, what) : atl_mailbox_send(l->traffic.results, 0, ATL_TAG_ARRIVED, NULL, 0);
  /* The other ranks are entering the agreement, so this failure cannot be returned: it aborts the job. */
  if (waited != ATL_OK) atl_launch_end_job(l, waited);
  return atl_comm_agree(l->world, status);
}

atl_status_t atl_launch_compare(atl_launch_t *l) {
  char *mine = NULL, *theirs;
  atl_status_t status = atl_fingerprint_make(l->model, &l->job, &l->arena, &mine);
  ATL_TRY(atl_comm_agree(l->world, status));
  size_t n_bytes = strlen(mine) + 1;
  theirs = mine;
  ATL_TRY(atl_comm_broadcast(l->world, 0, &theirs, &n_bytes));
  if (l->is_root) return atl_comm_agree(l->world, ATL_OK);
  status = atl_fingerprint_compare(theirs, mine, l->job.model);
  ATL_DESTROY(&theirs);
  return atl_comm_agree(l->world, status);
}
