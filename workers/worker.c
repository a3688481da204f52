/* A stage that shares its rank with a decoder runs first: a picture can wait, a stalled stage holds up the whole
 * pipeline. The decoder runs when the stage has no work, and at the latest after `packets_per_picture` packets, in
 * which the pipeline draws one picture per decoder; so pictures appear while drawing goes on. Decoders on ranks that
 * often wait make more of them. */
#include "workers/worker.h"

#include "common/memory.h"
#include "common/resident.h"
#include "common/timer.h"
#include "partition/tags.h"
#include "workers/decoder.h"
#include "workers/stage.h"
#include "workers/waits.h"

struct atl_worker {
  const atl_job_t *job;
  const atl_plan_t *plan;
  const atl_model_t *model;
  atl_traffic_t *traffic;
  atl_trace_t *trace; /* NULL: nothing is recorded */
  atl_stage_t *stage;
  atl_decoder_t *decoder;
  bool is_stopped;
  int64_t n_packets; /* since the decoder's last turn */
  int64_t packets_per_picture;
  double started, reported; /* time of the first poll and of the last report */
  double coordinating;      /* seconds this rank's coordinator had worked at the last poll */
  atl_waits_t waits;
  atl_buffer_t buffer;
};

static const double report_interval = 1; /* seconds between reports to the coordinator, for its progress line */

static atl_status_t init_roles(atl_worker_t *w) {
  const atl_plan_t *plan = w->plan;
  int rank = atl_comm_rank(w->traffic->world);
  int32_t i_pipeline, i_stage = atl_plan_find_stage(plan, rank, &i_pipeline);
  int32_t i_decoder = atl_plan_find_decoder(plan, rank);
  if (i_decoder >= 0) ATL_TRY(atl_decoder_new(w->job, plan, w->model, w->traffic, w->trace, i_decoder, &w->decoder));
  if (i_stage >= 0)
    ATL_TRY(atl_stage_new(w->job, plan, w->model, w->traffic, w->trace, i_pipeline, i_stage, &w->stage));
  atl_model_release(w->model);
  int64_t n_codes = (int64_t)atl_config_image_length(&w->model->transformer_config) * plan->n_decoders;
  w->packets_per_picture = n_codes / ((int64_t)plan->microbatch * plan->n_pipelines) + 1;
  return ATL_OK;
}

atl_status_t atl_worker_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                            atl_traffic_t *traffic, atl_trace_t *trace, atl_worker_t **worker) {
  char why[ATL_PLAN_WHY_BYTES];
  *worker = NULL;
  ATL_CHECK(atl_plan_is_valid(plan, NULL, why), INTERNAL, "the plan is not valid: %s", why);
  ATL_CHECK(plan->first_layer[plan->n_stages] == model->transformer_config.n_layers, INTERNAL,
            "the plan has %d layers, the model %d", (int)plan->first_layer[plan->n_stages],
            (int)model->transformer_config.n_layers);
  ATL_TRY(ATL_NEW(1, worker));
  (*worker)->job = job;
  (*worker)->plan = plan;
  (*worker)->model = model;
  (*worker)->traffic = traffic;
  (*worker)->trace = trace;
  atl_waits_init(&(*worker)->waits);
  atl_status_t status = init_roles(*worker);
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

/* The pipeline has drawn everything and token grids are waiting: this rank becomes another decoder, numbered after
 * those of the plan. */
static atl_status_t help(atl_worker_t *w) {
  if (w->decoder != NULL) return ATL_OK;
  if (w->stage != NULL) atl_stage_retire(w->stage);
  int32_t i_decoder = w->plan->n_decoders + atl_comm_rank(w->traffic->world);
  return atl_decoder_new(w->job, w->plan, w->model, w->traffic, w->trace, i_decoder, &w->decoder);
}

static atl_status_t dispatch(atl_worker_t *w, const atl_message_t *message) {
  switch (message->tag) {
  case ATL_TAG_ASSIGN:
    if (w->stage != NULL) return atl_stage_assign(w->stage, message);
    break;
  case ATL_TAG_TOKENS:
    if (w->stage != NULL) return atl_stage_accept_codes(w->stage, message);
    break;
  case ATL_TAG_GRIDS:
    if (w->decoder != NULL) return atl_decoder_accept(w->decoder, message);
    break;
  case ATL_TAG_HELP: return help(w);
  case ATL_TAG_STOP: w->is_stopped = true; return ATL_OK;
  default: break;
  }
  return ATL_FAIL(INTERNAL, "message with tag %d from rank %d is for a role this rank does not have", message->tag,
                  message->source);
}

static atl_status_t read_messages(atl_worker_t *w, atl_mailbox_t *box, bool *did_work) {
  atl_message_t message;
  for (;;) {
    ATL_TRY(atl_mailbox_poll(box, &message));
    if (message.bytes == NULL) return ATL_OK;
    *did_work = true;
    ATL_TRY(dispatch(w, &message));
  }
}

static atl_status_t send_reports_when_due(atl_worker_t *w, double now) {
  if (w->started == 0) w->started = w->reported = now; /* first poll: loading is over */
  if (now - w->reported < report_interval) return ATL_OK;
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

static void trace_wait(atl_worker_t *w, const atl_wait_t *ended) {
  atl_trace_event_t event = {.kind =
                                 ended->what == ATL_DID_WAIT_FOR_BUFFER ? ATL_TRACE_WAIT_BUFFER : ATL_TRACE_WAIT_INPUT,
                             .role = ATL_TRACE_STAGE,
                             .start = ended->start,
                             .end = ended->end,
                             .slot = -1,
                             .position = -1,
                             .packet = -1,
                             .cause = -1};
  if (w->stage != NULL) atl_trace_add(w->trace, &event);
  event.kind = ATL_TRACE_WAIT_INPUT;
  event.role = ATL_TRACE_DECODER;
  if (w->decoder != NULL) atl_trace_add(w->trace, &event);
}

atl_status_t atl_worker_poll(atl_worker_t *w, double coordinating, bool *did_work) {
  double start = atl_timer_now();
  atl_wait_t ended;
  atl_did_t did = ATL_DID_WAIT_FOR_INPUT;
  bool has_decoded = false;
  ATL_TRY(read_messages(w, w->traffic->tokens, did_work));
  ATL_TRY(read_messages(w, w->traffic->control, did_work));
  w->coordinating = coordinating;
  if (w->is_stopped) {
    if (atl_waits_end(&w->waits, start, coordinating, &ended)) trace_wait(w, &ended);
    return ATL_OK;
  }
  ATL_TRY(send_reports_when_due(w, start));
  if (w->stage != NULL) ATL_TRY(atl_stage_step(w->stage, &did));
  bool has_stepped = did == ATL_DID_WORK;
  w->n_packets += has_stepped;
  if (w->decoder != NULL && (!has_stepped || w->n_packets >= w->packets_per_picture)) {
    ATL_TRY(atl_decoder_step(w->decoder, &has_decoded));
    w->n_packets = 0;
  }
  atl_poll_t poll = {start, atl_timer_now(), coordinating, did, has_decoded};
  if (atl_waits_count(&w->waits, &poll, &ended)) trace_wait(w, &ended);
  *did_work = *did_work || has_stepped || has_decoded;
  return ATL_OK;
}

atl_status_t atl_worker_drain(atl_worker_t *w, bool *is_idle) {
  atl_mailbox_t *const boxes[] = {w->traffic->tokens, w->traffic->control};
  *is_idle = true;
  if (w->stage != NULL) ATL_TRY(atl_stage_drain(w->stage, is_idle));
  for (int i = 0; i < 2; i++) {
    atl_message_t message;
    do ATL_TRY(atl_mailbox_poll(boxes[i], &message));
    while (message.bytes != NULL);
    *is_idle = atl_mailbox_is_idle(boxes[i]) && *is_idle;
  }
  return ATL_OK;
}

bool atl_worker_is_stopped(const atl_worker_t *w) { return w->is_stopped; }

int atl_worker_get_reports(const atl_worker_t *w, atl_report_t reports[2]) {
  atl_wait_totals_t totals;
  int n = 0;
  atl_waits_get(&w->waits, atl_timer_now(), w->coordinating, &totals);
  if (w->stage != NULL) atl_stage_get_report(w->stage, &reports[n++]);
  if (w->decoder != NULL) atl_decoder_get_report(w->decoder, &reports[n++]);
  for (int i = 0; i < n; i++) {
    reports[i].waiting = totals.waiting;
    reports[i].peak_bytes = atl_memory_peak_bytes();
    reports[i].resident_bytes = atl_resident_peak_bytes();
  }
  if (w->stage == NULL) return n;
  reports[0].backpressure = totals.backpressure;
  reports[0].before = totals.before;
  reports[0].after = totals.after;
  reports[0].last = totals.last > 0 ? totals.last - w->started : 0;
  return n;
}
