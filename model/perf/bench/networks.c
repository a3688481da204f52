/* Layers and steps of the transformer through its public interface. To be at a position costs as many rows as come
 * before it, so one sample is fed up to it in large calls and then copied to the others of the batch. */
#include <stdio.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/memory.h"
#include "model/perf/bench/bench.h"
#include "model/transformer/transformer.h"

enum { N_STEPS = 6, N_PLACES = 3, FEED_ROWS = 256 };

/* A part of the transformer, its rows in work, and where each sample is. */
typedef struct {
  const atl_model_t *model;
  atl_transformer_part_t part;
  atl_transformer_t *transformer;
  atl_arena_t arena;
  bool has_ends;  /* embedding and logits are of the measured step */
  int32_t n_seen; /* image positions sample 0 has seen */
  float *x, *logits;
  atl_row_t *rows;
  int32_t *tokens;
} ring_t;

static size_t memory_limit(void) { return (size_t)sysconf(_SC_PHYS_PAGES) / 2 * (size_t)sysconf(_SC_PAGESIZE); }

static bool fits(const ring_t *ring) {
  atl_transformer_bytes_t bytes;
  atl_transformer_get_bytes(&ring->model->transformer_config, &ring->part, &bytes);
  return bytes.weights + bytes.scratch + bytes.per_prefix + bytes.per_sample * (size_t)ring->part.n_samples <
         memory_limit();
}

static atl_status_t ring_init(ring_t *ring) {
  const atl_transformer_config_t *config = &ring->model->transformer_config;
  int64_t n = ring->part.max_rows;
  ATL_TRY(atl_transformer_new(ring->model, &ring->part, &ring->transformer));
  ATL_TRY(ATL_TAKE(&ring->arena, n * atl_transformer_row_width(config), &ring->x));
  ATL_TRY(ATL_TAKE(&ring->arena, n * config->n_image_tokens, &ring->logits));
  ATL_TRY(ATL_TAKE(&ring->arena, n, &ring->rows));
  return ATL_TAKE(&ring->arena, n, &ring->tokens);
}

static void ring_clear(ring_t *ring) {
  atl_transformer_destroy(&ring->transformer);
  atl_arena_clear(&ring->arena);
}

/* Rows that did not come from an embedding get small numbers of their own. */
static void set_input(ring_t *ring, int32_t n) {
  if (ring->part.first_layer == 0) {
    atl_transformer_embed(ring->transformer, ring->x, ring->rows, ring->tokens, n);
    return;
  }
  int64_t n_floats = n * atl_transformer_row_width(&ring->model->transformer_config);
  for (int64_t i = 0; i < n_floats; i++) ring->x[i] = (float)((i * 7919) % 1000 - 500) / 1000.0F;
}

static void run_rows(ring_t *ring, int32_t n) {
  set_input(ring, n);
  atl_transformer_run(ring->transformer, ring->x, ring->rows, n, NULL, NULL);
  if (ring->has_ends) atl_transformer_image_logits(ring->transformer, ring->logits, ring->x, n);
}

/* Positions [first, end) of one sequence, in calls as large as the part takes. */
static void feed(ring_t *ring, int32_t first, int32_t end) {
  for (int32_t p = first; p < end;) {
    int32_t n = end - p < ring->part.max_rows ? end - p : ring->part.max_rows;
    for (int32_t i = 0; i < n; i++) {
      ring->rows[i] = (atl_row_t){0, p + i};
      ring->tokens[i] = (p + i) % 50;
    }
    set_input(ring, n);
    atl_transformer_run(ring->transformer, ring->x, ring->rows, n, NULL, NULL);
    p += n;
  }
}

static void feed_text(ring_t *ring) {
  feed(ring, 0, ring->model->transformer_config.text_length + 1);
  atl_transformer_bind(ring->transformer, 0, 0);
  ring->n_seen = 0;
}

/* All samples of the batch to image position `place`. */
static void move_to(ring_t *ring, int32_t place) {
  int32_t first = ring->model->transformer_config.text_length + 1;
  feed(ring, first + ring->n_seen, first + place);
  ring->n_seen = place;
  for (int32_t s = 1; s < ring->part.n_samples; s++) atl_transformer_copy(ring->transformer, s, 0, place);
}

static void step(ring_t *ring) {
  int32_t n = ring->part.n_samples;
  for (int32_t s = 0; s < n; s++) {
    ring->rows[s] = (atl_row_t){s, ring->model->transformer_config.text_length + 1 + ring->n_seen};
    ring->tokens[s] = s % ring->model->transformer_config.n_image_tokens;
  }
  run_rows(ring, n);
  ring->n_seen++;
}

static atl_bound_t step_bound(const atl_bench_t *bench, const ring_t *ring, int32_t place) {
  const atl_roofline_part_t part = {.first_layer = ring->part.first_layer,
                                    .end_layer = ring->part.end_layer,
                                    .has_head = ring->has_ends,
                                    .n_samples = ring->part.n_samples,
                                    .dtype = ring->part.dtype,
                                    .kv = ring->part.kv};
  atl_roof_t roof = atl_bench_roof(bench);
  return atl_roofline_step(&roof, &ring->model->transformer_config, &part, place);
}

/* The best step of a few that begin at the place. */
static atl_status_t measure_place(atl_bench_t *bench, ring_t *ring, const char *what, int32_t place) {
  int32_t n_places = ring->model->transformer_config.image_side * ring->model->transformer_config.image_side;
  move_to(ring, place);
  atl_laps_t laps = {.budget = bench->seconds};
  for (int i = 0; atl_laps_next(&laps) && i < N_STEPS && ring->n_seen < n_places; i++) step(ring);
  atl_bound_t bound = step_bound(bench, ring, place);
  return atl_bench_add(bench, laps.best, &bound, "%s batch=%d position=%d", what, ring->part.n_samples, place);
}

static atl_status_t measure_places(atl_bench_t *bench, ring_t *ring, const char *what) {
  int32_t n_image = atl_config_image_length(&ring->model->transformer_config);
  const int32_t places[N_PLACES] = {0, n_image / 2, n_image - N_STEPS};
  for (int i = 0; i < N_PLACES; i++)
    if (places[i] >= ring->n_seen) ATL_TRY(measure_place(bench, ring, what, places[i]));
  return ATL_OK;
}

static ring_t new_ring(const atl_bench_t *bench, const atl_model_t *model, int32_t first, int32_t end, int64_t batch) {
  int32_t max_rows = batch > FEED_ROWS ? (int32_t)batch : FEED_ROWS;
  return (ring_t){.model = model,
                  .part = {.first_layer = first,
                           .end_layer = end,
                           .n_prefixes = 1,
                           .n_samples = (int32_t)batch,
                           .max_rows = max_rows,
                           .dtype = bench->dtype,
                           .kv = bench->kv,
                           .backend = bench->backend}};
}

static atl_status_t measure_layer(atl_bench_t *bench, const atl_model_t *model, int32_t layer, int64_t batch) {
  char what[64];
  ring_t ring = new_ring(bench, model, layer, layer + 1, batch);
  if (!fits(&ring)) return ATL_OK;
  snprintf(what, sizeof what, "layer %s", atl_attention_name(model->transformer_config.attention[layer]));
  atl_status_t status = ring_init(&ring);
  if (status == ATL_OK) feed_text(&ring);
  if (status == ATL_OK) status = measure_places(bench, &ring, what);
  ring_clear(&ring);
  return status;
}

atl_status_t atl_bench_layers(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches) {
  unsigned kinds_done = 0;
  for (int32_t i = 0; i < model->transformer_config.n_layers; i++) {
    unsigned kind = 1U << model->transformer_config.attention[i];
    if (kinds_done & kind) continue;
    kinds_done |= kind;
    for (int j = 0; j < n_batches; j++) ATL_TRY(measure_layer(bench, model, i, batches[j]));
  }
  return ATL_OK;
}

static atl_status_t measure_prefill(atl_bench_t *bench, ring_t *ring) {
  const atl_transformer_config_t *c = &ring->model->transformer_config;
  double n = c->text_length + 1, inner = (double)c->n_heads * c->head_size, width = c->width;
  double n_weights = c->n_layers * (4 * inner * width + 12 * width * width);
  double flops = 2 * n * (n_weights + 2 * inner * c->n_layers * n / 2);
  atl_laps_t laps = {.budget = bench->seconds};
  while (atl_laps_next(&laps)) feed_text(ring);
  atl_roof_t roof = atl_bench_roof(bench);
  atl_bound_t bound = atl_roofline_kernel(&roof, flops, n_weights * (double)atl_dtype_bytes(bench->dtype));
  return atl_bench_add(bench, laps.best, &bound, "prefill tokens=%d", c->text_length + 1);
}

static atl_status_t measure_steps(atl_bench_t *bench, const atl_model_t *model, int64_t batch, bool has_prefill) {
  ring_t ring = new_ring(bench, model, 0, model->transformer_config.n_layers, batch);
  ring.has_ends = true;
  if (!fits(&ring)) return ATL_OK;
  atl_status_t status = ring_init(&ring);
  if (status == ATL_OK && has_prefill) status = measure_prefill(bench, &ring);
  if (status == ATL_OK && !has_prefill) feed_text(&ring);
  if (status == ATL_OK) status = measure_places(bench, &ring, "step");
  ring_clear(&ring);
  return status;
}

atl_status_t atl_bench_steps(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches) {
  for (int i = 0; i < n_batches; i++) ATL_TRY(measure_steps(bench, model, batches[i], i == 0));
  return ATL_OK;
}
