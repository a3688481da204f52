#include "workers/waits.h"

#include <math.h>

void atl_waits_init(atl_waits_t *waits) { *waits = (atl_waits_t){0}; }

/* Seconds of the current wait, less those the coordinator has worked in it. */
static double current_seconds(const atl_waits_t *w, double now, double coordinating) {
  return w->is_waiting ? fmax(0, now - w->current.start - (coordinating - w->coordinating)) : 0;
}

bool atl_waits_end(atl_waits_t *w, double now, double coordinating, atl_wait_t *ended) {
  if (!w->is_waiting) return false;
  double seconds = current_seconds(w, now, coordinating);
  w->waiting += seconds;
  if (w->current.what == ATL_DID_WAIT_FOR_BUFFER) w->backpressure += seconds;
  w->is_waiting = false;
  *ended = (atl_wait_t){w->current.start, now, w->current.what};
  return true;
}

static void begin(atl_waits_t *w, const atl_poll_t *poll) {
  w->is_waiting = true;
  w->current = (atl_wait_t){.start = poll->start, .what = poll->did};
  w->coordinating = poll->coordinating;
}

bool atl_waits_count(atl_waits_t *w, const atl_poll_t *poll, atl_wait_t *ended) {
  bool has_worked = poll->did == ATL_DID_WORK || poll->has_decoded, has_ended = false;
  if (has_worked || (w->is_waiting && poll->did != w->current.what))
    has_ended = atl_waits_end(w, poll->start, poll->coordinating, ended);
  if (!has_worked && !w->is_waiting) begin(w, poll);
  if (poll->did != ATL_DID_WORK) return has_ended;
  if (!w->has_stepped) w->before = w->waiting;
  w->has_stepped = true;
  w->at_last = w->waiting;
  w->last = poll->end;
  return has_ended;
}

void atl_waits_get(const atl_waits_t *w, double now, double coordinating, atl_wait_totals_t *totals) {
  double waiting = w->waiting + current_seconds(w, now, coordinating);
  *totals = (atl_wait_totals_t){
      .waiting = waiting,
      .backpressure = w->backpressure,
      .before = w->has_stepped ? w->before : waiting,
      .after = w->has_stepped ? waiting - w->at_last : 0,
      .last = w->last,
  };
}
