/* The attention of a step without its linear layers. In a step, the weights of other layers pass through the caches
 * between two uses of a layer's keys and values; here other bytes are read in their position before each lap. The cache
 * holds zeros: only its size matters. */
#include <string.h>
#include <unistd.h>

#include "model/kernels/activation/activation.h"
#include "model/perf/bench/bench.h"
#include "model/transformer/attention.h"

enum { N_POSITIONS = 3, LINE_BYTES = 64 };

typedef struct {
  const atl_transformer_config_t *config;
  atl_attention_kind_t kind;
  int32_t batch;
  atl_arena_t arena;
  atl_kvcache_t cache;
  atl_attention_workspace_t work;
  atl_rows_t rows;
  atl_row_t *call;       /* (batch) */
  float *fresh, *qkv;    /* (batch,3*H*E): the input, and the copy that is overwritten */
  float *out;            /* (batch,H*E) */
  const char *elsewhere; /* (elsewhere_bytes): read before each lap */
  size_t elsewhere_bytes;
} workspace_t;

static void read_elsewhere(const workspace_t *w) {
  int64_t n = (int64_t)w->elsewhere_bytes;
  unsigned sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
  for (int64_t i = 0; i < n; i += LINE_BYTES) sum += (unsigned char)w->elsewhere[i];
  volatile unsigned sink = sum;
  (void)sink;
}

static bool fits(const atl_kvcache_shape_t *shape) {
  size_t per_prefix, per_sample, room = (size_t)sysconf(_SC_PHYS_PAGES) / 2 * (size_t)sysconf(_SC_PAGESIZE);
  atl_kvcache_get_bytes(shape, &per_prefix, &per_sample);
  return per_prefix + (size_t)shape->n_samples * per_sample < room;
}

static atl_status_t workspace_init(workspace_t *w, const atl_bench_t *bench, const atl_kvcache_shape_t *shape) {
  int64_t batch = w->batch, inner = (int64_t)shape->n_heads * shape->head_size;
  ATL_TRY(atl_kvcache_init(&w->cache, shape, &w->arena));
  ATL_TRY(atl_attention_init(&w->work, w->config, NULL, bench->dtype, bench->kv, bench->backend, &w->arena));
  ATL_TRY(atl_rows_init(&w->rows, shape->n_text, shape->n_prefixes, w->batch, w->batch, &w->arena));
  ATL_TRY(ATL_TAKE(&w->arena, batch, &w->call));
  ATL_TRY(ATL_TAKE(&w->arena, batch * 3 * inner, &w->fresh));
  ATL_TRY(ATL_TAKE(&w->arena, batch * 3 * inner, &w->qkv));
  ATL_TRY(ATL_TAKE(&w->arena, batch * inner, &w->out));
  for (int64_t i = 0; i < batch * 3 * inner; i++) w->fresh[i] = (float)((i * 7919) % 1000 - 500) / 1000.0F;
  return ATL_OK;
}

static atl_status_t measure_position(atl_bench_t *bench, workspace_t *w, int32_t position) {
  const atl_transformer_config_t *c = w->config;
  size_t qkv_bytes = (size_t)w->batch * 3 * (size_t)c->n_heads * (size_t)c->head_size * sizeof *w->qkv;
  for (int32_t i = 0; i < w->batch; i++) w->call[i] = (atl_row_t){i, c->text_length + 1 + position};
  atl_rows_set(&w->rows, w->call, w->batch);
  atl_laps_t laps = {.budget = bench->seconds};
  while (atl_laps_next(&laps)) {
    read_elsewhere(w);
    memcpy(w->qkv, w->fresh, qkv_bytes);
    atl_laps_restart(&laps);
    atl_attention_forward(&w->work, &w->cache, w->out, w->qkv, &w->rows);
  }
  atl_roof_t roof = atl_bench_roof(bench);
  const atl_roofline_part_t part = {.n_samples = w->batch, .dtype = bench->dtype, .kv = bench->kv};
  atl_bound_t bound = atl_roofline_attention(&roof, c, w->kind, &part, position);
  ATL_TRY(atl_bench_add(bench, laps.best, &bound, "attention %s batch=%d position=%d", atl_attention_name(w->kind),
                        w->batch, position));
  bench->entries[bench->n_entries - 1].is_cached = atl_ceiling_is_cached(bench->working_set_bytes, bench->cache_bytes);
  return ATL_OK;
}

/* The middle position is the middle of the picture, where half of the rows and half of the columns are seen. */
static atl_status_t measure_kind(atl_bench_t *bench, workspace_t *w) {
  const atl_transformer_config_t *c = w->config;
  int32_t n_image = atl_config_image_length(c);
  const int32_t positions[N_POSITIONS] = {0, n_image / 2 + c->image_side / 2, n_image - 1};
  const atl_kvcache_shape_t shape = {.kind = w->kind,
                                     .text_dtype = bench->dtype,
                                     .image_dtype = bench->kv,
                                     .n_text = c->text_length + 1,
                                     .image_side = c->image_side,
                                     .n_heads = c->n_heads,
                                     .head_size = c->head_size,
                                     .n_prefixes = 1,
                                     .n_samples = w->batch,
                                     .n_together = w->batch};
  if (!fits(&shape)) return ATL_OK;
  ATL_TRY(workspace_init(w, bench, &shape));
  for (int i = 0; i < N_POSITIONS; i++)
    if (i == 0 || positions[i] > positions[i - 1]) ATL_TRY(measure_position(bench, w, positions[i]));
  return ATL_OK;
}

/* One head's scores for one row of each sample, halfway through the picture. They lie in the caches, as in a step. */
static atl_status_t measure_softmax(atl_bench_t *bench, const atl_transformer_config_t *c, int64_t batch,
                                    atl_arena_t *arena) {
  int64_t n_keys = c->text_length + 1 + atl_config_image_length(c) / 2;
  float *fresh, *scores;
  ATL_TRY(ATL_TAKE(arena, batch * n_keys, &fresh));
  ATL_TRY(ATL_TAKE(arena, batch * n_keys, &scores));
  for (int64_t i = 0; i < batch * n_keys; i++) fresh[i] = (float)((i * 7919) % 1000 - 500) / 100.0F;
  atl_laps_t laps = {.budget = bench->seconds / 4};
  while (atl_laps_next(&laps)) {
    memcpy(scores, fresh, (size_t)(batch * n_keys) * sizeof *scores);
    atl_laps_restart(&laps);
    for (int64_t i = 0; i < batch; i++) atl_activation_softmax(scores + i * n_keys, n_keys);
  }
  return atl_bench_add(bench, laps.best, NULL, "softmax rows=%lld keys=%lld", (long long)batch, (long long)n_keys);
}

static atl_status_t measure_batch(atl_bench_t *bench, const atl_transformer_config_t *config, int64_t batch,
                                  const char *elsewhere) {
  unsigned kinds_done = 0;
  for (int32_t i = 0; i < config->n_layers; i++) {
    atl_attention_kind_t kind = config->attention[i];
    if (kinds_done & 1U << kind) continue;
    kinds_done |= 1U << kind;
    workspace_t w = {.config = config,
                     .kind = kind,
                     .batch = (int32_t)batch,
                     .elsewhere = elsewhere,
                     .elsewhere_bytes = bench->working_set_bytes};
    atl_status_t status = measure_kind(bench, &w);
    atl_arena_clear(&w.arena);
    ATL_TRY(status);
  }
  atl_arena_t arena = {0};
  atl_status_t status = measure_softmax(bench, config, batch, &arena);
  atl_arena_clear(&arena);
  return status;
}

atl_status_t atl_bench_attention(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                                 int n_batches) {
  char *elsewhere;
  atl_status_t status = ATL_NEW(bench->working_set_bytes, &elsewhere);
  for (int i = 0; i < n_batches && status == ATL_OK; i++) status = measure_batch(bench, config, batches[i], elsewhere);
  ATL_DESTROY(&elsewhere);
  return status;
}
