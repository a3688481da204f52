/* A stage that shares its rank with a decoder goes first: a picture waits, a ring stalls. So that pictures come out
 * while drawing goes on, the decoder gets a turn after as many packets as the pipeline takes to draw one for each of
 * its decoders; those on ranks that wait anyway make more.
 *
 * A rank waits from the first poll in which no role had work to the next in which one has; the time between counts as
 * the stage's wait for what it found missing. */
#include "workers/worker.h"

#include <math.h>

#include "common/memory.h"
#include "common/resident.h"
#include "common/timer.h"
#include "partition/tags.h"
#include "workers/decoder.h"
#include "workers/stage.h"

struct atl_worker {
  const atl_job_t *job;
  const atl_plan_t *plan;
  const atl_model_t *model;
  atl_traffic_t *traffic;
  atl_stage_t *stage;
  atl_decoder_t *decoder;
  bool is_stopped;
  int64_t n_packets; /* since the decoder's last turn */
  int64_t packets_per_picture;
  double started, reported; /* when */
  double idle_since;        /* 0: a role has work */
  double idle_coordinating; /* the coordinator's seconds then */
  atl_did_t idle_for;       /* what the stage waits for since then */
  double waiting, credit;   /* seconds of finished waits */
  double before;            /* of waiting: before the stage's first step; -1: it has not come */
  double at_last;           /* waiting when the stage ended its last step */
  double last;              /* when that was */
  atl_buffer_t buffer;
};

static const double the_report_interval = 1; /* seconds between reports to the coordinator, for its progress line */

static atl_status_t make_roles(atl_worker_t *w) {
  const atl_plan_t *plan = w->plan;
  int rank = atl_comm_rank(w->traffic->world);
  int32_t i_pipeline, i_stage = atl_plan_find_stage(plan, rank, &i_pipeline);
  int32_t i_decoder = atl_plan_find_decoder(plan, rank);
  if (i_decoder >= 0) ATL_TRY(atl_decoder_new(w->job, plan, w->model, w->traffic, i_decoder, &w->decoder));
  if (i_stage >= 0) ATL_TRY(atl_stage_new(w->job, plan, w->model, w->traffic, i_pipeline, i_stage, &w->stage));
  atl_model_release(w->model);
  int64_t n_codes = (int64_t)atl_config_image_length(&w->model->transformer_config) * plan->n_decoders;
  w->packets_per_picture = n_codes / ((int64_t)plan->microbatch * plan->n_pipelines) + 1;
  return ATL_OK;
}

atl_status_t atl_worker_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                            atl_traffic_t *traffic, atl_worker_t **worker) {
  *worker = NULL;
  ATL_TRY(ATL_NEW(1, worker));
  (*worker)->job = job;
  (*worker)->plan = plan;
  (*worker)->model = model;
  (*worker)->traffic = traffic;
  (*worker)->before = -1;
  atl_status_t status = make_roles(*worker);
  if (status != ATL_OK) atl_worker_destroy(worker);
  return status;
}

void atl_worker_destroy(atl_worker_t **worker) {
  if (*worker == NULL) return;
  atl_stage_destroy(&(*worker)->stage);
  atl_decoder_destroy(&(*worker)->decoder);
  atl_buffer_clear(&(*worker)->buffer);
  ATL_DESTROY(worker);
}

/* The pipeline is done and pictures wait: this rank becomes one more decoder, numbered after those of the plan. */
static atl_status_t help(atl_worker_t *w) {
  if (w->decoder != NULL) return ATL_OK;
  if (w->stage != NULL) atl_stage_retire(w->stage);
  int32_t i_decoder = w->plan->n_decoders + atl_comm_rank(w->traffic->world);
  return atl_decoder_new(w->job, w->plan, w->model, w->traffic, i_decoder, &w->decoder);
}

static atl_status_t obey(atl_worker_t *w, const atl_letter_t *letter) {
  switch (letter->tag) {
  case ATL_TAG_ASSIGN:
    if (w->stage != NULL) return atl_stage_assign(w->stage, letter);
    break;
  case ATL_TAG_TOKENS:
    if (w->stage != NULL) return atl_stage_accept_codes(w->stage, letter);
    break;
  case ATL_TAG_GRIDS:
    if (w->decoder != NULL) return atl_decoder_accept(w->decoder, letter);
    break;
  case ATL_TAG_HELP: return help(w);
  case ATL_TAG_STOP: w->is_stopped = true; return ATL_OK;
  default: break;
  }
  return ATL_FAIL(INTERNAL, "a letter with tag %d came from rank %d for a role this rank does not have", letter->tag,
                  letter->source);
}

static atl_status_t read_letters(atl_worker_t *w, atl_mailbox_t *box, bool *did_work) {
  atl_letter_t letter;
  for (;;) {
    ATL_TRY(atl_mailbox_poll(box, &letter));
    if (letter.bytes == NULL) return ATL_OK;
    *did_work = true;
    ATL_TRY(obey(w, &letter));
  }
}

static atl_status_t report_now_and_then(atl_worker_t *w, double now) {
  if (w->started == 0) w->started = w->reported = now; /* the loop begins; loading is over */
  if (now - w->reported < the_report_interval) return ATL_OK;
  w->reported = now;
  atl_report_t reports[2];
  int n = atl_worker_get_reports(w, reports);
  for (int i = 0; i < n; i++) {
    ATL_TRY(atl_wire_pack_report(&reports[i], &w->buffer));
    ATL_TRY(
        atl_mailbox_send(w->traffic->results, w->plan->coordinator_rank, ATL_TAG_REPORT, w->buffer.bytes, w->buffer.n));
  }
  return ATL_OK;
}

/* Seconds of the wait that goes on, without what the coordinator worked in it. */
static double wait_seconds(const atl_worker_t *w, double now) {
  return w->idle_since == 0 ? 0 : fmax(0, now - w->idle_since - (w->traffic->coordinating - w->idle_coordinating));
}

static void trace_wait(atl_worker_t *w, double now) {
  atl_trace_event_t wait = {.kind =
                                w->idle_for == ATL_DID_WAIT_FOR_CREDIT ? ATL_TRACE_WAIT_CREDIT : ATL_TRACE_WAIT_INPUT,
                            .role = ATL_TRACE_STAGE,
                            .start = w->idle_since,
                            .end = now,
                            .slot = -1,
                            .position = -1,
                            .packet = -1,
                            .cause = -1};
  if (w->stage != NULL) atl_trace_add(w->traffic->trace, &wait);
  wait.kind = ATL_TRACE_WAIT_INPUT;
  wait.role = ATL_TRACE_DECODER;
  if (w->decoder != NULL) atl_trace_add(w->traffic->trace, &wait);
}

static void end_wait(atl_worker_t *w, double now) {
  if (w->idle_since == 0) return;
  double seconds = wait_seconds(w, now);
  if (w->traffic->trace != NULL) trace_wait(w, now);
  w->waiting += seconds;
  if (w->idle_for == ATL_DID_WAIT_FOR_CREDIT) w->credit += seconds;
  w->idle_since = 0;
}

static void begin_wait(atl_worker_t *w, double now, atl_did_t did) {
  w->idle_since = now;
  w->idle_coordinating = w->traffic->coordinating;
  w->idle_for = did;
}

/* Counts the poll that began at `start`, in which the stage (or, without one, nobody) did this. */
static void count_poll(atl_worker_t *w, double start, atl_did_t did, bool has_decoded) {
  bool has_worked = did == ATL_DID_WORK || has_decoded;
  if (has_worked || did != w->idle_for) end_wait(w, start);
  if (!has_worked && w->idle_since == 0) begin_wait(w, start, did);
  if (did != ATL_DID_WORK) return;
  if (w->before < 0) w->before = w->waiting;
  w->at_last = w->waiting;
  w->last = atl_timer_now();
}

atl_status_t atl_worker_poll(atl_worker_t *w, bool *did_work) {
  double start = atl_timer_now();
  atl_did_t did = ATL_DID_WAIT_FOR_INPUT;
  bool has_decoded = false;
  ATL_TRY(read_letters(w, w->traffic->tokens, did_work));
  ATL_TRY(read_letters(w, w->traffic->control, did_work));
  if (w->is_stopped) {
    end_wait(w, start);
    return ATL_OK;
  }
  ATL_TRY(report_now_and_then(w, start));
  if (w->stage != NULL) ATL_TRY(atl_stage_step(w->stage, &did));
  bool has_stepped = did == ATL_DID_WORK;
  w->n_packets += has_stepped;
  if (w->decoder != NULL && (!has_stepped || w->n_packets >= w->packets_per_picture)) {
    ATL_TRY(atl_decoder_step(w->decoder, &has_decoded));
    w->n_packets = 0;
  }
  count_poll(w, start, did, has_decoded);
  *did_work = *did_work || has_stepped || has_decoded;
  return ATL_OK;
}

atl_status_t atl_worker_drain(atl_worker_t *w, bool *is_idle) {
  atl_mailbox_t *const boxes[] = {w->traffic->tokens, w->traffic->control};
  *is_idle = true;
  if (w->stage != NULL) ATL_TRY(atl_stage_drain(w->stage, is_idle));
  for (int i = 0; i < 2; i++) {
    atl_letter_t letter;
    do ATL_TRY(atl_mailbox_poll(boxes[i], &letter));
    while (letter.bytes != NULL);
    *is_idle = atl_mailbox_is_idle(boxes[i]) && *is_idle;
  }
  return ATL_OK;
}

bool atl_worker_is_stopped(const atl_worker_t *w) { return w->is_stopped; }

int atl_worker_get_reports(const atl_worker_t *w, atl_report_t reports[2]) {
  double now = atl_timer_now(), waiting = w->waiting + wait_seconds(w, now);
  int n = 0;
  if (w->stage != NULL) atl_stage_get_report(w->stage, &reports[n++]);
  if (w->decoder != NULL) atl_decoder_get_report(w->decoder, &reports[n++]);
  for (int i = 0; i < n; i++) {
    reports[i].waiting = waiting;
    reports[i].peak_bytes = atl_memory_peak_bytes();
    reports[i].resident_bytes = atl_resident_peak_bytes();
  }
  if (w->stage == NULL) return n;
  reports[0].credit = w->credit;
  reports[0].before = w->before < 0 ? waiting : w->before;
  reports[0].after = w->before < 0 ? 0 : waiting - w->at_last;
  reports[0].last = w->last > 0 ? w->last - w->started : 0;
  return n;
}
