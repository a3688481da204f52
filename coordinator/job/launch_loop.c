/* The loop of every rank: rank 0 coordinates between the steps of its worker. After the loop, messages still in transit
 * are received and dropped. */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "common/stop.h"
#include "common/timer.h"
#include "coordinator/job/launch_private.h"

enum { SILENT_SECONDS = 5 }; /* reports come every second */

/* Idle ranks leave their core to others that may share it: 50 polls at once, then yields, then sleeps that grow to 200
 * us. */
void atl_launch_rest(int n_idle) {
  if (n_idle < 50) return;
  if (n_idle < 200) {
    sched_yield();
    return;
  }
  long nap = (n_idle - 199) * 2000L;
  nanosleep(&(struct timespec){0, nap < 200000 ? nap : 200000}, NULL);
}

static void trace_coordinator(atl_launch_t *l, double start, double end) {
  atl_trace_event_t event = {.kind = ATL_TRACE_COORDINATE,
                             .role = ATL_TRACE_COORDINATOR,
                             .start = start,
                             .end = end,
                             .slot = -1,
                             .position = -1,
                             .packet = -1,
                             .cause = -1};
  atl_trace_add(l->trace, &event);
  event.kind = ATL_TRACE_QUEUE;
  event.start = end;
  event.n = (int32_t)atl_schedule_n_waiting(l->schedule);
  atl_trace_add(l->trace, &event);
}

/* Expects a report every second from every rank that has a role; other ranks send nothing. */
static void expect_reports(atl_launch_t *l) {
  int32_t i_pipeline;
  atl_peers_begin(l->peers, "report every second");
  for (int rank = 1; rank < l->plan.n_ranks; rank++)
    if (atl_plan_find_stage(&l->plan, rank, &i_pipeline) < 0 && atl_plan_find_decoder(&l->plan, rank) < 0)
      atl_peers_excuse(l->peers, rank);
}

/* Stops the run on a signal. mpirun also signals the ranks when one of them has died, and kills them a second or two
 * later, so the reason is recorded first. A rank that died on another host looks like one that is only silent. */
static atl_status_t stop_early(atl_launch_t *l) {
  char peer[ATL_PEER_BYTES] = "", reason[ATL_PEER_BYTES + 128];
  int dead = atl_peers_find_dead(l->peers), silent = atl_peers_find_silent(l->peers, SILENT_SECONDS);
  ATL_CHECK(dead < 0, COMM, "%s has died, and the launcher ends the run (%s); complete prompts are kept",
            atl_peers_describe(l->peers, dead, peer), atl_stop_signal());
  int n = snprintf(reason, sizeof reason, "a signal (%s)", atl_stop_signal());
  if (silent >= 0)
    snprintf(reason + n, sizeof reason - (size_t)n, "; %s had been silent for more than %d s",
             atl_peers_describe(l->peers, silent, peer), SILENT_SECONDS);
  l->is_stopping = true;
  atl_launch_abandon(l, "stopped", reason);
  return atl_schedule_stop(l->schedule);
}

static atl_status_t coordinate(atl_launch_t *l, bool *did_work) {
  double start = atl_timer_now();
  ATL_TRY(atl_schedule_poll(l->schedule, did_work));
  if (atl_stop_is_requested() && !l->is_stopping) ATL_TRY(stop_early(l));
  if (!l->is_stopping) ATL_TRY(atl_peers_check(l->peers, atl_mailbox_source(l->traffic.results)));
  if (l->task->tick != NULL) l->task->tick(l->task->context);
  if (!*did_work) return ATL_OK;
  double end = atl_timer_now();
  l->coordinating += end - start;
  if (l->trace != NULL) trace_coordinator(l, start, end);
  return ATL_OK;
}

atl_status_t atl_launch_loop(atl_launch_t *l) {
  int n_idle = 0;
  if (l->is_root) expect_reports(l);
  while (!l->worker_ops->is_stopped(l->worker)) {
    bool did_work = false;
    if (l->is_root) {
      ATL_TRY(coordinate(l, &did_work));
    } else {
      atl_mailbox_is_idle(l->traffic.results); /* progresses its sends; only rank 0 polls this mailbox */
    }
    ATL_TRY(l->worker_ops->poll(l->worker, l->coordinating, &did_work));
    n_idle = did_work ? 0 : n_idle + 1;
    atl_launch_rest(n_idle);
  }
  return ATL_OK;
}

/* After a stop, or after the last reports, messages may be in transit that no rank waits for. They are received and
 * dropped, so that every send completes and MPI can finalize. */
atl_status_t atl_launch_drain(atl_launch_t *l) {
  for (bool is_settled = false; !is_settled;) {
    bool is_idle;
    atl_message_t message;
    ATL_TRY(l->worker_ops->drain(l->worker, &is_idle));
    ATL_TRY(atl_mailbox_poll(l->traffic.results, &message));
    is_idle = atl_mailbox_is_idle(l->traffic.results) && message.bytes == NULL && is_idle;
    ATL_TRY(atl_comm_settle(l->world, is_idle, &is_settled));
  }
  return ATL_OK;
}
