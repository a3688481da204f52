/* A rank's failure inside the loop, where nothing is collective: the rank sends the reason to rank 0, which aborts the
 * job. */
#include <stdio.h>
#include <time.h>

#include "common/log.h"
#include "common/timer.h"
#include "coordinator/job/launch_private.h"
#include "partition/tags.h"

void atl_launch_abandon(const atl_launch_t *l, const char *state, const char *reason) {
  if (l->task->abandon != NULL) l->task->abandon(l->task->context, state, reason);
}

enum { ABORT_SECONDS = 10 }; /* seconds that a failed rank waits for rank 0, which may be computing, to abort the job */

/* Sends the failure to rank 0, which aborts the job when it reads the message. Returning from here means that rank 0
 * did not. */
static void tell_root(atl_launch_t *l, atl_status_t failure, const char *message) {
  atl_buffer_t buffer = {0};
  atl_status_t status = atl_wire_pack_failure(&(atl_failure_t){failure, message}, &buffer);
  if (status == ATL_OK)
    status = atl_mailbox_send(l->traffic.results, l->plan.coordinator_rank, ATL_TAG_FAILED, buffer.bytes, buffer.n);
  atl_buffer_clear(&buffer);
  if (status != ATL_OK) return;
  for (double end = atl_timer_now() + ABORT_SECONDS; atl_timer_now() < end;) {
    atl_mailbox_is_idle(l->traffic.results); /* progresses the send */
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
}

/* Rank 0 reports the reason, in its log and in the run folder. A failed rank logs its trace first, and logs the reason
 * and aborts by itself only if rank 0 did not. */
_Noreturn void atl_launch_end_job(atl_launch_t *l, atl_status_t failure) {
  char message[ATL_MESSAGE_BYTES];
  snprintf(message, sizeof message, "%s", atl_status_message());
  if (!l->is_root) {
    ATL_LOG(ERROR, "%s:\n%s", atl_status_sentence(failure), atl_status_trace());
    tell_root(l, failure, message);
  }
  ATL_LOG(ERROR, "%s\n%s", message, l->is_root ? atl_status_trace() : "");
  if (l->is_root) atl_launch_abandon(l, "failed", message);
  atl_comm_abort(l->world, atl_status_exit_code(failure));
}
