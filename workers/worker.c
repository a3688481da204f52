/* A stage that shares its rank with a decoder goes first: a picture waits, a ring stalls. So that pictures come out
 * while drawing goes on, the decoder gets a turn after as many packets as the pipeline takes to draw one. */
#include "workers/worker.h"

#include "common/memory.h"
#include "partition/tags.h"
#include "workers/decoder.h"
#include "workers/stage.h"

struct atl_worker {
  atl_traffic_t *traffic;
  atl_stage_t *stage;
  atl_decoder_t *decoder;
  bool is_stopped;
  int32_t n_packets; /* since the decoder's last turn */
  int32_t packets_per_picture;
};

static atl_status_t make_roles(atl_worker_t *w, const atl_job_t *job, const atl_plan_t *plan,
                               const atl_model_t *model) {
  int rank = atl_comm_rank(w->traffic->world);
  int32_t i_pipeline, i_stage = atl_plan_find_stage(plan, rank, &i_pipeline);
  int32_t i_decoder = atl_plan_find_decoder(plan, rank);
  if (i_stage >= 0) ATL_TRY(atl_stage_new(job, plan, model, w->traffic, i_pipeline, i_stage, &w->stage));
  if (i_decoder >= 0) ATL_TRY(atl_decoder_new(job, plan, model, w->traffic, i_decoder, &w->decoder));
  w->packets_per_picture = atl_config_image_length(&model->transformer_config) / plan->microbatch + 1;
  return ATL_OK;
}

atl_status_t atl_worker_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                            atl_traffic_t *traffic, atl_worker_t **worker) {
  *worker = NULL;
  ATL_TRY(ATL_NEW(1, worker));
  (*worker)->traffic = traffic;
  atl_status_t status = make_roles(*worker, job, plan, model);
  if (status != ATL_OK) atl_worker_destroy(worker);
  return status;
}

void atl_worker_destroy(atl_worker_t **worker) {
  if (*worker == NULL) return;
  atl_stage_destroy(&(*worker)->stage);
  atl_decoder_destroy(&(*worker)->decoder);
  ATL_DESTROY(worker);
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

atl_status_t atl_worker_poll(atl_worker_t *w, bool *did_work) {
  bool has_stepped = false, has_decoded = false;
  ATL_TRY(read_letters(w, w->traffic->tokens, did_work));
  ATL_TRY(read_letters(w, w->traffic->control, did_work));
  if (w->is_stopped) return ATL_OK;
  if (w->stage != NULL) ATL_TRY(atl_stage_step(w->stage, &has_stepped));
  w->n_packets += has_stepped;
  if (w->decoder != NULL && (!has_stepped || w->n_packets >= w->packets_per_picture)) {
    ATL_TRY(atl_decoder_step(w->decoder, &has_decoded));
    w->n_packets = 0;
  }
  *did_work = *did_work || has_stepped || has_decoded;
  return ATL_OK;
}

bool atl_worker_is_stopped(const atl_worker_t *w) { return w->is_stopped; }

int atl_worker_get_reports(const atl_worker_t *w, double seconds, atl_report_t reports[2]) {
  int n = 0;
  if (w->stage != NULL) atl_stage_get_report(w->stage, &reports[n++]);
  if (w->decoder != NULL) atl_decoder_get_report(w->decoder, &reports[n++]);
  double worked = 0;
  for (int i = 0; i < n; i++) worked += reports[i].busy + reports[i].draw + reports[i].io + reports[i].prefill;
  for (int i = 0; i < n; i++) {
    reports[i].waiting = seconds > worked ? seconds - worked : 0;
    reports[i].peak_bytes = atl_memory_peak_bytes();
  }
  return n;
}
