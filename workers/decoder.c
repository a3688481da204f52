/* The queue has room for MAX_WAITING token grids, those asked for included; once half of it is free, the decoder asks
 * for as many as fit. */
#include "workers/decoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/fifo.h"
#include "common/file.h"
#include "common/image.h"
#include "common/timer.h"
#include "model/vae/dvae.h"
#include "partition/tags.h"
#include "proto/runfolder.h"
#include "workers/scorer.h"

enum { MAX_WAITING = 16 };

typedef struct {
  atl_candidate_t candidate;
  bool has_threshold;
  float threshold;
  int32_t *codes; /* (I) */
} waiting_t;

struct atl_decoder {
  const atl_job_t *job;
  const atl_model_t *model;
  atl_traffic_t *traffic;
  atl_trace_t *trace;
  int32_t i_decoder, n_codes; /* n_codes: I */
  int coordinator_rank;
  atl_dvae_t *vae;
  atl_scorer_t *scorer;         /* NULL when the job is not ranked */
  waiting_t grids[MAX_WAITING]; /* `waiting` indexes it */
  atl_fifo_t waiting;
  int32_t n_asked;     /* token grids asked for that have not arrived */
  float *pixels;       /* (C, S, S) */
  atl_image_t image;   /* as bytes, C channels */
  uint8_t *rgb;        /* (S, S, 3): input of CLIP when C is 4 */
  atl_arena_t arena;   /* owns the arrays above */
  atl_arena_t scratch; /* unpacked messages and PNG texts; cleared before each use */
  atl_buffer_t buffer;
  atl_report_t report;
};

static atl_status_t init(atl_decoder_t *d) {
  const atl_vae_config_t *vae = &d->model->vae_config;
  size_t n_pixels = (size_t)vae->image_size * (size_t)vae->image_size;
  ATL_TRY(atl_dvae_new(d->model, ATL_DVAE_DECODER, &d->vae));
  if (d->job->is_ranked) ATL_TRY(atl_scorer_new(d->job, d->model, &d->scorer));
  ATL_TRY(ATL_TAKE(&d->arena, n_pixels * (size_t)vae->n_channels, &d->pixels));
  ATL_TRY(ATL_TAKE(&d->arena, n_pixels * 3, &d->rgb));
  d->waiting.capacity = MAX_WAITING;
  for (int i = 0; i < MAX_WAITING; i++) ATL_TRY(ATL_TAKE(&d->arena, d->n_codes, &d->grids[i].codes));
  return atl_image_init(&d->image, vae->image_size, vae->image_size, vae->n_channels);
}

atl_status_t atl_decoder_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                             atl_traffic_t *traffic, atl_trace_t *trace, int32_t i_decoder, atl_decoder_t **decoder) {
  *decoder = NULL;
  ATL_TRY(ATL_NEW(1, decoder));
  atl_decoder_t *d = *decoder;
  d->job = job;
  d->model = model;
  d->traffic = traffic;
  d->trace = trace;
  d->i_decoder = i_decoder;
  d->n_codes = atl_config_image_length(&model->transformer_config);
  d->coordinator_rank = plan->coordinator_rank;
  d->report.role = (atl_role_t){.kind = ATL_ROLE_DECODER, .i_decoder = i_decoder};
  d->report.rank = atl_comm_rank(traffic->world);
  atl_status_t status = init(d);
  if (status != ATL_OK) atl_decoder_destroy(decoder);
  return status;
}

void atl_decoder_destroy(atl_decoder_t **decoder) {
  if (*decoder == NULL) return;
  atl_decoder_t *d = *decoder;
  atl_dvae_destroy(&d->vae);
  atl_scorer_destroy(&d->scorer);
  atl_image_clear(&d->image);
  atl_arena_clear(&d->arena);
  atl_arena_clear(&d->scratch);
  atl_buffer_clear(&d->buffer);
  ATL_DESTROY(decoder);
}

atl_status_t atl_decoder_accept(atl_decoder_t *d, const atl_message_t *message) {
  atl_grids_t grids;
  atl_arena_clear(&d->scratch);
  ATL_TRY(atl_wire_unpack_grids(message->bytes, message->n_bytes, &d->scratch, &grids));
  ATL_CHECK(grids.n_grids <= d->n_asked, INPUT, "%d token grids came, but only %d were asked for", grids.n_grids,
            d->n_asked);
  d->n_asked -= grids.n_grids;
  for (int32_t i = 0; i < grids.n_grids; i++) {
    const atl_grid_t *grid = &grids.grids[i];
    ATL_CHECK(grid->n_codes == d->n_codes && grid->candidate.prompt < d->job->n_prompts, INPUT,
              "token grid has %d tokens for prompt %d; expected %d tokens and a prompt below %d", grid->n_codes,
              grid->candidate.prompt, d->n_codes, d->job->n_prompts);
    waiting_t *waiting = &d->grids[atl_fifo_push(&d->waiting)];
    waiting->candidate = grid->candidate;
    waiting->has_threshold = grid->has_threshold;
    waiting->threshold = grid->threshold;
    for (int32_t j = 0; j < d->n_codes; j++) waiting->codes[j] = grid->codes[j];
  }
  return ATL_OK;
}

static atl_status_t ask_for_grids(atl_decoder_t *d) {
  int32_t n_room = MAX_WAITING - (int32_t)d->waiting.n - d->n_asked;
  if (n_room < MAX_WAITING / 2) return ATL_OK;
  d->n_asked += n_room;
  ATL_TRY(atl_wire_pack_ask(&(atl_ask_t){d->i_decoder, n_room}, &d->buffer));
  return atl_mailbox_send(d->traffic->results, d->coordinator_rank, ATL_TAG_ASK_GRIDS, d->buffer.bytes, d->buffer.n);
}

/* The picture as CLIP's input: RGB, without alpha. */
static const uint8_t *rgb_of(atl_decoder_t *d) {
  if (d->image.n_channels == 3) return d->image.pixels;
  size_t n_pixels = (size_t)d->image.width * (size_t)d->image.height;
  for (size_t i = 0; i < n_pixels; i++) memcpy(d->rgb + 3 * i, d->image.pixels + 4 * i, 3);
  return d->rgb;
}

/* Encodes the PNG, writes it unless its score is below the grid's threshold, and fills in the record. */
static atl_status_t write_picture(atl_decoder_t *d, const waiting_t *grid, atl_record_t *record) {
  const atl_prompt_t *prompt = &d->job->prompts[grid->candidate.prompt];
  atl_picture_facts_t facts = {prompt->text,           prompt->id,    prompt->seed,
                               grid->candidate.sample, record->score, d->model->name};
  atl_image_text_t texts[ATL_MAX_PNG_TEXTS];
  int n_texts;
  atl_arena_clear(&d->scratch);
  ATL_TRY(atl_runfolder_png_texts(&facts, &d->scratch, texts, &n_texts));
  uint8_t *bytes;
  size_t n_bytes;
  ATL_TRY(atl_image_encode(&d->image, d->job->png_level, texts, (size_t)n_texts, &bytes, &n_bytes));
  atl_file_sha256(bytes, n_bytes, record->sha256);
  record->n_bytes = n_bytes;
  record->is_written = !(grid->has_threshold && record->score < grid->threshold);
  char path[ATL_PATH_BYTES];
  atl_status_t status = ATL_OK;
  if (record->is_written) {
    status = atl_runfolder_candidate_path(d->job->out, prompt->id, grid->candidate.sample, path);
    if (status == ATL_OK) status = atl_file_write(path, bytes, n_bytes);
  }
  ATL_DESTROY(&bytes);
  return status;
}

static void trace(const atl_decoder_t *d, atl_trace_kind_t kind, double start, double end,
                  const atl_candidate_t *candidate) {
  atl_trace_add(d->trace, &(atl_trace_event_t){.kind = (int16_t)kind,
                                               .role = ATL_TRACE_DECODER,
                                               .start = start,
                                               .end = end,
                                               .slot = candidate->prompt,
                                               .position = candidate->sample,
                                               .n = kind == ATL_TRACE_QUEUE ? (int32_t)d->waiting.n : 1,
                                               .packet = -1,
                                               .cause = -1});
}

static atl_status_t make_picture(atl_decoder_t *d, const waiting_t *grid) {
  atl_record_t record = {.candidate = grid->candidate, .score = NAN};
  double start = atl_timer_now();
  ATL_TRY(atl_dvae_decode(d->vae, d->pixels, grid->codes, 1));
  atl_dvae_to_rgb(d->vae, d->image.pixels, d->pixels);
  double decoded = atl_timer_now();
  if (d->scorer != NULL)
    ATL_TRY(
        atl_scorer_run(d->scorer, grid->candidate.prompt, rgb_of(d), d->image.height, d->image.width, &record.score));
  double scored = atl_timer_now();
  ATL_TRY(write_picture(d, grid, &record));
  d->report.busy += scored - start;
  d->report.score += scored - decoded;
  double written = atl_timer_now();
  d->report.io += written - scored;
  trace(d, ATL_TRACE_QUEUE, start, start, &grid->candidate);
  trace(d, ATL_TRACE_DECODE, start, decoded, &grid->candidate);
  if (d->scorer != NULL) trace(d, ATL_TRACE_SCORE, decoded, scored, &grid->candidate);
  trace(d, ATL_TRACE_PNG, scored, written, &grid->candidate);
  d->report.n_steps++;
  ATL_TRY(atl_wire_pack_record(&record, &d->buffer));
  return atl_mailbox_send(d->traffic->results, d->coordinator_rank, ATL_TAG_RECORD, d->buffer.bytes, d->buffer.n);
}

atl_status_t atl_decoder_step(atl_decoder_t *d, bool *did_work) {
  *did_work = d->waiting.n > 0;
  if (*did_work) {
    ATL_TRY(make_picture(d, &d->grids[atl_fifo_at(&d->waiting, 0)]));
    (void)atl_fifo_pop(&d->waiting);
  }
  return ask_for_grids(d);
}

void atl_decoder_get_report(const atl_decoder_t *d, atl_report_t *report) { *report = d->report; }
