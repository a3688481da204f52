/* Layers and steps of the transformer through its public interface. Reaching a position takes as many rows as come
 * before it, so one sample runs up to it in large calls and is then copied to the others of the batch. */
#include <stdio.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/memory.h"
#include "model/perf/bench/bench.h"
#include "model/transformer/transformer.h"

enum { N_STEPS = 6, N_POSITIONS = 3, PREFILL_ROWS = 256 };

/* A part of the transformer, the rows of the current call, and the position of the samples. */
typedef struct {
  const atl_model_t *model;
  atl_transformer_part_t part;
  atl_transformer_t *transformer;
  atl_arena_t arena;
  bool has_ends;  /* the measured step includes embedding and logits */
  int32_t n_seen; /* image positions that sample 0 has seen */
  float *x, *logits;
  atl_row_t *rows;
  int32_t *tokens;
} network_t;

static size_t memory_limit(void) { return (size_t)sysconf(_SC_PHYS_PAGES) / 2 * (size_t)sysconf(_SC_PAGESIZE); }

static bool fits(const network_t *network) {
  atl_transformer_bytes_t bytes;
  atl_transformer_get_bytes(&network->model->transformer_config, &network->part, &bytes);
  return bytes.weights + bytes.scratch + bytes.per_prefix + bytes.per_sample * (size_t)network->part.n_samples <
         memory_limit();
}

static atl_status_t network_init(network_t *network) {
  const atl_transformer_config_t *config = &network->model->transformer_config;
  int64_t n = network->part.max_rows;
  ATL_TRY(atl_transformer_new(network->model, &network->part, &network->transformer));
  ATL_TRY(ATL_TAKE(&network->arena, n * atl_transformer_row_width(config), &network->x));
  ATL_TRY(ATL_TAKE(&network->arena, n * config->n_image_tokens, &network->logits));
  ATL_TRY(ATL_TAKE(&network->arena, n, &network->rows));
  return ATL_TAKE(&network->arena, n, &network->tokens);
}

static void network_clear(network_t *network) {
  atl_transformer_destroy(&network->transformer);
  atl_arena_clear(&network->arena);
}

/* Embeds the rows; a part without the first layer gets small made-up values instead. */
static void set_input(network_t *network, int32_t n) {
  if (network->part.first_layer == 0) {
    atl_transformer_embed(network->transformer, network->x, network->rows, network->tokens, n);
    return;
  }
  int64_t n_floats = n * atl_transformer_row_width(&network->model->transformer_config);
  for (int64_t i = 0; i < n_floats; i++) network->x[i] = (float)((i * 7919) % 1000 - 500) / 1000.0F;
}

static void run_rows(network_t *network, int32_t n) {
  set_input(network, n);
  atl_transformer_run(network->transformer, network->x, network->rows, n, NULL, NULL);
  if (network->has_ends) atl_transformer_image_logits(network->transformer, network->logits, network->x, n);
}

/* Runs positions [first, end) of one sequence, in calls as large as the part takes. */
static void run_positions(network_t *network, int32_t first, int32_t end) {
  for (int32_t p = first; p < end;) {
    int32_t n = end - p < network->part.max_rows ? end - p : network->part.max_rows;
    for (int32_t i = 0; i < n; i++) {
      network->rows[i] = (atl_row_t){0, p + i};
      network->tokens[i] = (p + i) % 50;
    }
    set_input(network, n);
    atl_transformer_run(network->transformer, network->x, network->rows, n, NULL, NULL);
    p += n;
  }
}

static void prefill_text(network_t *network) {
  run_positions(network, 0, network->model->transformer_config.text_length + 1);
  atl_transformer_bind(network->transformer, 0, 0);
  network->n_seen = 0;
}

/* Brings all samples of the batch to an image position. */
static void move_to(network_t *network, int32_t position) {
  int32_t first = network->model->transformer_config.text_length + 1;
  run_positions(network, first + network->n_seen, first + position);
  network->n_seen = position;
  for (int32_t s = 1; s < network->part.n_samples; s++) atl_transformer_copy(network->transformer, s, 0, position);
}

static void step(network_t *network) {
  int32_t n = network->part.n_samples;
  for (int32_t s = 0; s < n; s++) {
    network->rows[s] = (atl_row_t){s, network->model->transformer_config.text_length + 1 + network->n_seen};
    network->tokens[s] = s % network->model->transformer_config.n_image_tokens;
  }
  run_rows(network, n);
  network->n_seen++;
}

static atl_bound_t step_bound(const atl_bench_t *bench, const network_t *network, int32_t position) {
  const atl_roofline_part_t part = {.first_layer = network->part.first_layer,
                                    .end_layer = network->part.end_layer,
                                    .has_head = network->has_ends,
                                    .n_samples = network->part.n_samples,
                                    .dtype = network->part.dtype,
                                    .kv = network->part.kv};
  atl_roof_t roof = atl_bench_roof(bench);
  return atl_roofline_step(&roof, &network->model->transformer_config, &part, position);
}

/* The best of a few steps that begin at an image position. */
static atl_status_t measure_position(atl_bench_t *bench, network_t *network, const char *what, int32_t position) {
  int32_t n_positions = network->model->transformer_config.image_side * network->model->transformer_config.image_side;
  move_to(network, position);
  atl_laps_t laps = {.budget = bench->seconds};
  for (int i = 0; atl_laps_next(&laps) && i < N_STEPS && network->n_seen < n_positions; i++) step(network);
  atl_bound_t bound = step_bound(bench, network, position);
  return atl_bench_add(bench, laps.best, &bound, "%s batch=%d position=%d", what, network->part.n_samples, position);
}

static atl_status_t measure_positions(atl_bench_t *bench, network_t *network, const char *what) {
  int32_t n_image = atl_config_image_length(&network->model->transformer_config);
  const int32_t positions[N_POSITIONS] = {0, n_image / 2, n_image - N_STEPS};
  for (int i = 0; i < N_POSITIONS; i++)
    if (positions[i] >= network->n_seen) ATL_TRY(measure_position(bench, network, what, positions[i]));
  return ATL_OK;
}

static network_t new_network(const atl_bench_t *bench, const atl_model_t *model, int32_t first, int32_t end,
                             int64_t batch) {
  int32_t max_rows = batch > PREFILL_ROWS ? (int32_t)batch : PREFILL_ROWS;
  return (network_t){.model = model,
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
  network_t network = new_network(bench, model, layer, layer + 1, batch);
  if (!fits(&network)) return ATL_OK;
  snprintf(what, sizeof what, "layer %s", atl_attention_name(model->transformer_config.attention[layer]));
  atl_status_t status = network_init(&network);
  if (status == ATL_OK) prefill_text(&network);
  if (status == ATL_OK) status = measure_positions(bench, &network, what);
  network_clear(&network);
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

static atl_status_t measure_prefill(atl_bench_t *bench, network_t *network) {
  const atl_transformer_config_t *c = &network->model->transformer_config;
  double n = c->text_length + 1, inner = (double)c->n_heads * c->head_size, width = c->width;
  double n_weights = c->n_layers * (4 * inner * width + 12 * width * width);
  double flops = 2 * n * (n_weights + 2 * inner * c->n_layers * n / 2);
  atl_laps_t laps = {.budget = bench->seconds};
  while (atl_laps_next(&laps)) prefill_text(network);
  atl_roof_t roof = atl_bench_roof(bench);
  atl_bound_t bound = atl_roofline_kernel(&roof, flops, n_weights * (double)atl_dtype_bytes(bench->dtype));
  return atl_bench_add(bench, laps.best, &bound, "prefill tokens=%d", c->text_length + 1);
}

static atl_status_t measure_steps(atl_bench_t *bench, const atl_model_t *model, int64_t batch, bool has_prefill) {
  network_t network = new_network(bench, model, 0, model->transformer_config.n_layers, batch);
  network.has_ends = true;
  if (!fits(&network)) return ATL_OK;
  atl_status_t status = network_init(&network);
  if (status == ATL_OK && has_prefill) status = measure_prefill(bench, &network);
  if (status == ATL_OK && !has_prefill) prefill_text(&network);
  if (status == ATL_OK) status = measure_positions(bench, &network, "step");
  network_clear(&network);
  return status;
}

atl_status_t atl_bench_steps(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches) {
  for (int i = 0; i < n_batches; i++) ATL_TRY(measure_steps(bench, model, batches[i], i == 0));
  return ATL_OK;
}
