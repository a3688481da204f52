/* A step at half an image stands for all steps: the time of attention grows linearly with the position. The fixed part
 * comes from the same step with a quarter of the candidates: t(b) = fixed + b * slope. */
#include "model/perf/calibration.h"

#include <math.h>

#include "common/arena.h"
#include "common/image.h"
#include "common/sort.h"
#include "common/timer.h"
#include "model/clip/clip.h"
#include "model/transformer/sampler.h"
#include "model/transformer/transformer.h"
#include "model/vae/dvae.h"

enum { N_STEPS = 8, MAX_LAYERS = 4, PREFILL_ROWS = 64, PNG_LEVEL = 6 };
static const int64_t max_layer_bytes = (int64_t)2 << 30; /* limit for the measured layers */

typedef struct {
  const atl_model_t *model;
  atl_calibration_spec_t spec;
  atl_arena_t arena;
  atl_transformer_t *body, *tail; /* the first layers; the last layer, with the head */
  atl_sampler_t *sampler;
  int32_t n_layers; /* of body */
  int32_t n_rows;   /* of a microbatch */
  int32_t max_rows;
  int32_t position; /* of the next image step */
  float *x, *logits;
  atl_row_t *rows;
  int32_t *tokens;
  double embed; /* seconds of the last step's embedding */
} bench_t;

static atl_transformer_part_t part_of(const bench_t *b, int32_t first, int32_t end) {
  return (atl_transformer_part_t){.first_layer = first,
                                  .end_layer = end,
                                  .n_prefixes = 2,
                                  .n_samples = b->n_rows,
                                  .max_rows = b->max_rows,
                                  .dtype = b->spec.dtype,
                                  .kv = b->spec.kv,
                                  .backend = b->spec.backend};
}

/* Layers differ in their kind of attention, so several are measured together if they fit, otherwise one. */
static int32_t count_layers(const bench_t *b) {
  const atl_transformer_config_t *config = &b->model->transformer_config;
  atl_transformer_part_t part = part_of(b, 0, config->n_layers < MAX_LAYERS ? config->n_layers : MAX_LAYERS);
  atl_transformer_bytes_t bytes;
  atl_transformer_get_bytes(config, &part, &bytes);
  int64_t needed = (int64_t)(bytes.weights + bytes.per_sample * (size_t)b->n_rows);
  bool fits = needed <= max_layer_bytes && (b->spec.max_bytes == 0 || needed <= b->spec.max_bytes);
  return fits ? part.end_layer : 1;
}

static atl_status_t open_bench(bench_t *b) {
  const atl_transformer_config_t *config = &b->model->transformer_config;
  int32_t n_layers = config->n_layers;
  b->n_rows = b->spec.microbatch * b->spec.n_streams;
  b->max_rows = b->n_rows > PREFILL_ROWS ? b->n_rows : PREFILL_ROWS;
  b->n_layers = count_layers(b);
  atl_transformer_part_t body = part_of(b, 0, b->n_layers), tail = part_of(b, n_layers - 1, n_layers);
  tail.n_samples = 1;
  ATL_TRY(atl_transformer_new(b->model, &body, &b->body));
  ATL_TRY(atl_transformer_new(b->model, &tail, &b->tail));
  ATL_TRY(ATL_TAKE(&b->arena, b->max_rows * atl_transformer_row_width(config), &b->x));
  ATL_TRY(ATL_TAKE(&b->arena, (int64_t)b->n_rows * config->n_image_tokens, &b->logits));
  ATL_TRY(ATL_TAKE(&b->arena, b->max_rows, &b->rows));
  ATL_TRY(ATL_TAKE(&b->arena, b->max_rows, &b->tokens));
  const atl_sampling_t sampling = {.temperature = 1, .top_p = 1, .filter_thres = -1, .guidance = 1};
  return atl_sampler_new(&sampling, config->n_image_tokens, atl_config_vocabulary(config), &b->sampler);
}

static void close_bench(bench_t *b) {
  atl_transformer_destroy(&b->body);
  atl_transformer_destroy(&b->tail);
  atl_sampler_destroy(&b->sampler);
  atl_arena_clear(&b->arena);
}

/* Runs n rows through the measured layers; returns seconds without the embedding. */
static double run_rows(bench_t *b, int32_t n) {
  double start = atl_timer_now();
  atl_transformer_embed(b->body, b->x, b->rows, b->tokens, n);
  double embedded = atl_timer_now();
  atl_transformer_run(b->body, b->x, b->rows, n, NULL, NULL);
  b->embed = embedded - start;
  return atl_timer_now() - embedded;
}

/* Runs positions [from, end) of one sequence in large calls; returns seconds. */
static double run_positions(bench_t *b, int32_t sequence, int32_t from, int32_t end) {
  double seconds = 0;
  while (from < end) {
    int32_t n = 0;
    for (; n < b->max_rows && from < end; n++) b->rows[n] = (atl_row_t){sequence, from++};
    seconds += run_rows(b, n);
  }
  return seconds;
}

/* The mean without the smallest and the largest. */
static double mean(double *seconds, int n) {
  int n_cut = n > 2 ? 1 : 0, n_kept = n - 2 * n_cut;
  double sum = 0;
  if (n == 0) return 0;
  atl_sort_doubles(seconds, (size_t)n);
  for (int i = n_cut; i < n - n_cut; i++) sum += seconds[i];
  return sum / n_kept;
}

static void pause_for(double seconds) {
  for (double end = atl_timer_now() + seconds; atl_timer_now() < end;) {
  }
}

/* Mean seconds of a step of the first n rows, after one step that is not measured; fewer steps when the image ends.
 * Processes that measure together would read their caches at the same moments, layer by layer, which never lasts in a
 * run. So each pauses for its own fraction of a layer after every step, and any two pass through all relative phases.
 */
static double step(bench_t *b, int32_t n, int index, double *embed) {
  int32_t end = b->model->transformer_config.text_length + atl_config_image_length(&b->model->transformer_config);
  double seconds[N_STEPS] = {0}, embeds[N_STEPS] = {0};
  int n_done = 0;
  for (int i = -1; i < N_STEPS && b->position < end; i++, b->position++) {
    for (int32_t r = 0; r < n; r++) b->rows[r] = (atl_row_t){r, b->position};
    double once = run_rows(b, n);
    pause_for(once / b->n_layers * (index % N_STEPS) / N_STEPS);
    if (i < 0) continue;
    embeds[n_done] = b->embed;
    seconds[n_done++] = once;
  }
  *embed = mean(embeds, n_done);
  return mean(seconds, n_done);
}

/* The line through (few, t_few) and (many, t_many) at 0, clamped to [0, t_many]. */
static double fixed_of(double t_many, double t_few, int32_t many, int32_t few) {
  if (few >= many || t_few <= 0) return 0;
  double fixed = (t_few * many - t_many * few) / (many - few);
  return fixed < 0 ? 0 : fixed > t_many ? t_many : fixed;
}

static int32_t quarter_of(const bench_t *b) { return b->n_rows >= 4 ? b->n_rows / 4 : 1; }

static void measure_text(bench_t *b, atl_calibration_t *c) {
  int32_t n_text = b->model->transformer_config.text_length + 1;
  run_positions(b, 0, 0, n_text);
  c->prefill_row = run_positions(b, 1, 0, n_text) / n_text / b->n_layers;
}

/* Puts every candidate at half an image, or earlier if too few steps would be left to measure. */
static void begin_images(bench_t *b) {
  const atl_transformer_config_t *config = &b->model->transformer_config;
  int32_t n_text = config->text_length + 1, n_image = atl_config_image_length(config);
  int32_t half = n_image / 2, room = n_image - 2 * (N_STEPS + 1);
  if (half > room) half = room > 0 ? room : 0;
  atl_transformer_bind(b->body, 0, 0);
  run_positions(b, 0, n_text, n_text + half);
  for (int32_t i = 1; i < b->n_rows; i++) atl_transformer_copy(b->body, i, 0, half);
  b->position = n_text + half;
}

static double head_seconds(bench_t *b, int32_t n) {
  double seconds[N_STEPS] = {0};
  for (int i = -1; i < N_STEPS; i++) {
    double start = atl_timer_now();
    atl_transformer_image_logits(b->tail, b->logits, b->x, n);
    if (i >= 0) seconds[i] = atl_timer_now() - start;
  }
  return mean(seconds, N_STEPS);
}

/* The head runs first, so that the logits lie where they do in a run. */
static double draw_seconds(bench_t *b) {
  int64_t n = b->model->transformer_config.n_image_tokens;
  head_seconds(b, b->n_rows);
  double start = atl_timer_now();
  int32_t token;
  for (int32_t i = 0; i < b->spec.microbatch; i++) /* a model whose logits are NaN fails when it is run, not here */
    (void)atl_sampler_draw(b->sampler, b->logits + i * n, NULL, &(atl_draw_t){0}, &token);
  return atl_timer_now() - start;
}

/* ---- pictures ---- */

typedef struct {
  atl_dvae_t *vae;
  atl_clip_t *clip;
  atl_arena_t arena;
  atl_image_t image;
  int32_t *tokens;
  uint8_t *rgb; /* (S, S, 3): what CLIP sees */
  float *pixels, *preprocessed, *features;
} picture_t;

static atl_status_t open_picture(picture_t *p, const atl_model_t *model, const atl_calibration_spec_t *spec) {
  const atl_vae_config_t *vae = &model->vae_config;
  int64_t n_pixels = (int64_t)vae->image_size * vae->image_size, n_grid_tokens = n_pixels >> (2 * vae->n_layers);
  ATL_TRY(atl_dvae_new(model, ATL_DVAE_DECODER, &p->vae));
  ATL_TRY(ATL_TAKE(&p->arena, n_grid_tokens, &p->tokens));
  ATL_TRY(ATL_TAKE(&p->arena, n_pixels * vae->n_channels, &p->pixels));
  ATL_TRY(ATL_TAKE(&p->arena, n_pixels * 3, &p->rgb));
  for (int64_t i = 0; i < n_grid_tokens; i++)
    p->tokens[i] = (int32_t)(i * 7919 % vae->n_tokens); /* spread over all tokens */
  ATL_TRY(atl_image_init(&p->image, vae->image_size, vae->image_size, vae->n_channels));
  if (!spec->is_ranked) return ATL_OK;
  int64_t side = model->clip_config.image_size;
  ATL_TRY(atl_clip_new(model, spec->dtype, &p->clip));
  ATL_TRY(ATL_TAKE(&p->arena, 3 * side * side, &p->preprocessed));
  return ATL_TAKE(&p->arena, model->clip_config.embedding_width, &p->features);
}

static void close_picture(picture_t *p) {
  atl_dvae_destroy(&p->vae);
  atl_clip_destroy(&p->clip);
  atl_image_clear(&p->image);
  atl_arena_clear(&p->arena);
}

static atl_status_t make_picture(picture_t *p, atl_calibration_t *c) {
  uint8_t *png;
  size_t n_bytes;
  double start = atl_timer_now();
  ATL_TRY(atl_dvae_decode(p->vae, p->pixels, p->tokens, 1));
  atl_dvae_to_rgb(p->vae, p->image.pixels, p->pixels);
  ATL_TRY(atl_image_encode(&p->image, PNG_LEVEL, NULL, 0, &png, &n_bytes));
  ATL_DESTROY(&png);
  double decoded = atl_timer_now();
  c->decode = decoded - start;
  if (p->clip == NULL) return ATL_OK;
  ATL_TRY(atl_clip_preprocess(p->clip, p->preprocessed, p->rgb, p->image.height, p->image.width));
  atl_clip_image_features(p->clip, p->features, p->preprocessed, 1);
  c->score = atl_timer_now() - decoded;
  return ATL_OK;
}

/* ---- all parts ---- */

struct atl_calibrator {
  bench_t bench;
  picture_t picture;
};

static atl_status_t open_all(atl_calibrator_t *c) {
  ATL_TRY(open_bench(&c->bench));
  return c->bench.spec.has_decoder ? open_picture(&c->picture, c->bench.model, &c->bench.spec) : ATL_OK;
}

atl_status_t atl_calibrator_new(const atl_model_t *model, const atl_calibration_spec_t *spec,
                                atl_calibrator_t **calibrator) {
  *calibrator = NULL;
  ATL_CHECK(spec->microbatch >= 1 && (spec->n_streams == 1 || spec->n_streams == 2) && model->has_transformer, INPUT,
            "a calibration needs a transformer and candidates of 1 or 2 rows, found %d candidates of %d rows",
            (int)spec->microbatch, (int)spec->n_streams);
  atl_calibrator_t *made;
  ATL_TRY(ATL_NEW(1, &made));
  made->bench.model = model;
  made->bench.spec = *spec;
  atl_status_t status = open_all(made);
  if (status != ATL_OK) atl_calibrator_destroy(&made);
  *calibrator = made;
  return status;
}

void atl_calibrator_destroy(atl_calibrator_t **calibrator) {
  if (*calibrator == NULL) return;
  close_bench(&(*calibrator)->bench);
  close_picture(&(*calibrator)->picture);
  ATL_DESTROY(calibrator);
}

static void no_barrier(void *context) { (void)context; }

/* Only the last part can fail, after the last barrier, so every process reaches as many barriers as the others. */
atl_status_t atl_calibrator_run(atl_calibrator_t *calibrator, const atl_sync_group_t *group,
                                atl_calibration_t *calibration) {
  const atl_sync_group_t alone = {.barrier = no_barrier}, *g = group != NULL ? group : &alone;
  bench_t *b = &calibrator->bench;
  int32_t few = quarter_of(b);
  double ignored;
  *calibration = (atl_calibration_t){0};
  g->barrier(g->context);
  measure_text(b, calibration);
  begin_images(b);
  g->barrier(g->context);
  double many = step(b, b->n_rows, g->index, &calibration->embed);
  g->barrier(g->context);
  double less = step(b, few, g->index, &ignored);
  calibration->layer = many / b->n_layers;
  calibration->layer_fixed = fixed_of(many, less, b->n_rows, few) / b->n_layers;
  g->barrier(g->context);
  calibration->head = head_seconds(b, b->n_rows);
  calibration->head_fixed = fixed_of(calibration->head, head_seconds(b, few), b->n_rows, few);
  g->barrier(g->context);
  calibration->draw = draw_seconds(b);
  g->barrier(g->context);
  for (int i = 0; i < 2 && b->spec.has_decoder; i++) /* the first run only warms the caches */
    ATL_TRY(make_picture(&calibrator->picture, calibration));
  return ATL_OK;
}
