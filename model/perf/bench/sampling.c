/* Drawing an image token for each row of a microbatch, one row after the other, as the last stage does. */
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "model/perf/bench/bench.h"
#include "model/transformer/sampler.h"

static const struct {
  const char *what;
  atl_sampling_t sampling;
} cases[] = {{"all", {.temperature = 1, .top_p = 1, .filter_thres = -1, .guidance = 1}},
             {"top-k=256", {.temperature = 1, .top_k = 256, .top_p = 1, .filter_thres = -1, .guidance = 1}},
             {"top-p=0.9", {.temperature = 1, .top_p = 0.9, .filter_thres = -1, .guidance = 1}}};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* The logits of one microbatch, and a copy to draw from, because drawing overwrites it. */
typedef struct {
  int32_t n_tokens;
  int64_t batch;
  float *logits, *scratch; /* (batch,n_tokens) */
} rows_t;

/* Seconds of the shortest measured step of this batch; 0 when there is none. */
static double shortest_step(const atl_bench_t *bench, int64_t batch) {
  char start[64];
  double shortest = 0;
  snprintf(start, sizeof start, "step batch=%lld position=", (long long)batch);
  for (size_t i = 0; i < bench->n_entries; i++) {
    const atl_bench_entry_t *entry = &bench->entries[i];
    if (strncmp(entry->name, start, strlen(start)) != 0) continue;
    if (shortest == 0 || entry->seconds < shortest) shortest = entry->seconds;
  }
  return shortest;
}

static atl_status_t measure_draws(atl_bench_t *bench, int i_case, int32_t n_ids, const rows_t *rows) {
  atl_sampler_t *sampler;
  ATL_TRY(atl_sampler_new(&cases[i_case].sampling, rows->n_tokens, n_ids, &sampler));
  atl_laps_t laps = {.budget = bench->seconds / 4};
  while (atl_laps_next(&laps)) {
    memcpy(rows->scratch, rows->logits, (size_t)(rows->batch * rows->n_tokens) * sizeof *rows->logits);
    atl_laps_restart(&laps);
    for (int64_t i = 0; i < rows->batch; i++) {
      atl_draw_t draw = {.seed = 1, .sample = (uint32_t)i, .position = (uint32_t)laps.n_laps};
      int32_t token;
      (void)atl_sampler_draw(sampler, rows->scratch + i * rows->n_tokens, NULL, &draw, &token);
    }
  }
  atl_sampler_destroy(&sampler);
  double step = shortest_step(bench, rows->batch);
  ATL_TRY(atl_bench_add(bench, laps.best, NULL, "draw %s codes=%d batch=%lld", cases[i_case].what, rows->n_tokens,
                        (long long)rows->batch));
  bench->entries[bench->n_entries - 1].of_step = step > 0 ? laps.best / step : 0;
  return ATL_OK;
}

static atl_status_t measure_batch(atl_bench_t *bench, const atl_transformer_config_t *config, int64_t batch,
                                  atl_arena_t *arena) {
  rows_t rows = {.n_tokens = config->n_image_tokens, .batch = batch};
  int64_t n = batch * rows.n_tokens;
  ATL_TRY(ATL_TAKE(arena, n, &rows.logits));
  ATL_TRY(ATL_TAKE(arena, n, &rows.scratch));
  for (int64_t i = 0; i < n; i++) rows.logits[i] = (float)((i * 7919) % 4001) / 500.0F;
  for (int i = 0; i < N_CASES; i++) ATL_TRY(measure_draws(bench, i, atl_config_vocabulary(config), &rows));
  return ATL_OK;
}

atl_status_t atl_bench_sampling(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                                int n_batches) {
  for (int i = 0; i < n_batches; i++) {
    atl_arena_t arena = {0};
    atl_status_t status = measure_batch(bench, config, batches[i], &arena);
    atl_arena_clear(&arena);
    ATL_TRY(status);
  }
  return ATL_OK;
}
