// TEST np=1
/* Attention kernels against chains of fused multiply-adds written out in plain C, on awkward sizes, bit for bit. The
 * cache: which keys and values each kind of attention finds in it, and in which order, in every dtype. */
#include "model/kernels/attention/attention.h"

#include <math.h>
#include <string.h>

#include "common/arena.h"
#include "model/transformer/kvcache.h"
#include "tests/support/tap.h"

enum { MAX_ROWS = 13, MAX_KEYS = 340, MAX_SIZE = 80 };

static float random_value(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(int32_t)*state / 2147483648.0f;
}

static float stored(float x, atl_dtype_t dtype) {
  return dtype == ATL_BF16 ? atl_f32_from_bf16(atl_bf16_from_f32(x)) : x;
}

/* x <- from as integers up to `most`; returns the scale. */
static float quantise(float x[], const float *from, int32_t size, float most) {
  float largest = 0;
  for (int32_t e = 0; e < size; e++) largest = fmaxf(largest, fabsf(from[e]));
  for (int32_t e = 0; e < size; e++) x[e] = rintf(from[e] * (most / largest));
  return largest / most;
}

typedef struct {
  float q[MAX_ROWS][MAX_SIZE], k[MAX_KEYS][MAX_SIZE], v[MAX_KEYS][MAX_SIZE], p[MAX_ROWS][MAX_KEYS + 16];
  float scores[MAX_ROWS][MAX_KEYS + 16], out[MAX_ROWS][MAX_SIZE];
} values_t;

static void fill(values_t *n, uint32_t seed) {
  float *x = &n->q[0][0];
  for (size_t i = 0; i < sizeof *n / sizeof *x; i++) x[i] = random_value(&seed);
}

/* A full cache of one head holds the keys as those of image tokens. */
static atl_status_t fill_cache(atl_kvcache_t *cache, atl_arena_t *arena, const values_t *n, atl_dtype_t dtype,
                               int32_t size) {
  const atl_kvcache_shape_t shape = {.kind = ATL_ATTENTION_FULL,
                                     .text_dtype = ATL_F32,
                                     .image_dtype = dtype,
                                     .n_text = 1,
                                     .image_side = 18,
                                     .n_heads = 1,
                                     .head_size = size,
                                     .n_prefixes = 1,
                                     .n_samples = 1,
                                     .n_together = 1};
  ATL_TRY(atl_kvcache_init(cache, &shape, arena));
  for (int32_t i = 0; i < 18 * 18; i++) atl_kvcache_store_image(cache, 0, 0, i, n->k[i], n->v[i]);
  return ATL_OK;
}

static bool scores_agree(const values_t *n, atl_dtype_t dtype, int32_t n_rows, int32_t n_keys, int32_t size) {
  for (int32_t m = 0; m < n_rows; m++)
    for (int32_t i = 0; i < n_keys; i++) {
      float chain[2] = {0, 0};
      for (int32_t e = 0; e < size; e++) chain[e % 2] = fmaf(n->q[m][e], stored(n->k[i][e], dtype), chain[e % 2]);
      float sum = chain[0] + chain[1];
      if (memcmp(&sum, &n->scores[m][i], sizeof sum) != 0) return false;
    }
  return true;
}

static bool sums_agree(const values_t *n, atl_dtype_t dtype, int32_t n_rows, int32_t n_keys, int32_t size) {
  for (int32_t m = 0; m < n_rows; m++)
    for (int32_t e = 0; e < size; e++) {
      float sum = 0;
      for (int32_t i = 0; i < n_keys; i++) sum = fmaf(n->p[m][i], stored(n->v[i][e], dtype), sum);
      if (memcmp(&sum, &n->out[m][e], sizeof sum) != 0) return false;
    }
  return true;
}

/* int8: products of integers add up exactly: a score over its channels, a sum over the keys of its block. */
static bool int8_agrees(const values_t *n, int32_t n_rows, int32_t n_keys, int32_t size) {
  static float k[16][MAX_SIZE], v[16][MAX_SIZE];
  float k_scale[16], v_scale[16], q[MAX_SIZE], p[16] = {0};
  for (int32_t i = 0; i < n_keys; i++) {
    k_scale[i] = quantise(k[i], n->k[i], size, 127);
    v_scale[i] = quantise(v[i], n->v[i], size, 127);
  }
  for (int32_t m = 0; m < n_rows; m++) {
    float scale = quantise(q, n->q[m], size, 32767);
    for (int32_t i = 0; i < n_keys; i++) {
      int64_t sum = 0;
      for (int32_t e = 0; e < size; e++) sum += (int64_t)q[e] * (int64_t)k[i][e];
      float score = (float)sum * k_scale[i] * scale;
      if (memcmp(&score, &n->scores[m][i], sizeof score) != 0) return false;
    }
    for (int32_t i = 0; i < n_keys; i++) p[i] = n->p[m][i] * v_scale[i];
    scale = quantise(p, p, n_keys, 32767);
    for (int32_t e = 0; e < size; e++) {
      int64_t sum = 0;
      for (int32_t i = 0; i < n_keys; i++) sum += (int64_t)p[i] * (int64_t)v[i][e];
      float value = fmaf((float)sum, scale, 0);
      if (memcmp(&value, &n->out[m][e], sizeof value) != 0) return false;
    }
  }
  return true;
}

/* The kernels for rows with their own blocks, with a copy of the same block for each row. */
static bool own_agree(values_t *n, const atl_attention_kernels_t *kernels, atl_dtype_t dtype, int32_t n_rows,
                      const atl_kvcache_t *cache, const atl_span_t *span) {
  static _Alignas(64) char k[MAX_ROWS * 16 * MAX_SIZE * sizeof(float)], v[sizeof k];
  int32_t size = cache->shape.head_size, n_keys = span->n_keys < 16 ? (int32_t)span->n_keys : 16;
  for (int32_t m = 0; m < n_rows; m++) {
    memcpy(k + (size_t)m * span->k_step, span->k, span->k_step);
    memcpy(v + (size_t)m * span->v_step, span->v, span->v_step);
  }
  memset(n->out, 0, sizeof n->out);
  static float own[MAX_ROWS][MAX_SIZE];
  for (int32_t m = 0; m < n_rows; m++) kernels->own_query(own[m], n->q[m], size);
  kernels->own_scores(n->scores[0], MAX_KEYS + 16, own[0], MAX_SIZE, n_rows, k, size);
  kernels->own_values(n->out[0], MAX_SIZE, n->p[0], MAX_KEYS + 16, n_rows, v, 0, n_keys, cache->row_size);
  if (dtype == ATL_I8) return int8_agrees(n, n_rows, n_keys, size);
  return scores_agree(n, dtype, n_rows, n_keys, size) && sums_agree(n, dtype, n_rows, n_keys, size);
}

static void check_kernels(values_t *n, atl_dtype_t dtype, atl_backend_t backend) {
  static const int32_t row_counts[] = {1, 2, 5, 8, 13}, key_counts[] = {1, 7, 16, 33, 129, 324},
                       sizes[] = {1, 7, 33, 64, 80};
  atl_attention_kernels_t kernels = atl_attention_kernels_get(dtype, backend);
  bool are_scores_right = true, are_sums_right = true, are_own_right = true;
  for (int s = 0; s < 5; s++) {
    atl_arena_t arena = {0};
    atl_kvcache_t cache;
    int32_t size = sizes[s];
    TAP_STATUS(ATL_OK, fill_cache(&cache, &arena, n, dtype, size), "a cache is filled");
    for (int r = 0; r < 5; r++)
      for (int i = 0; i < 6; i++) {
        atl_span_t spans[ATL_MAX_SPANS];
        atl_kvcache_get_image(&cache, 0, 0, key_counts[i] - 1, spans);
        if (dtype != ATL_I8) {
          kernels.scores(n->scores[0], MAX_KEYS + 16, n->q[0], MAX_SIZE, row_counts[r], spans[0].k,
                         (key_counts[i] + 15) / 16, size);
          are_scores_right &= scores_agree(n, dtype, row_counts[r], key_counts[i], size);
          memset(n->out, 0, sizeof n->out);
          kernels.values(n->out[0], MAX_SIZE, n->p[0], MAX_KEYS + 16, row_counts[r], spans[0].v, key_counts[i],
                         cache.row_size);
          are_sums_right &= sums_agree(n, dtype, row_counts[r], key_counts[i], size);
        }
        are_own_right &= own_agree(n, &kernels, dtype, row_counts[r], &cache, &spans[0]);
      }
    atl_arena_clear(&arena);
  }
  char name[128];
  if (dtype != ATL_I8) {
    snprintf(name, sizeof name, "%s %s: scores are two chains over channels", atl_backend_name(backend),
             atl_dtype_name(dtype));
    TAP_OK(are_scores_right, name);
    snprintf(name, sizeof name, "%s %s: sums are chains over keys", atl_backend_name(backend), atl_dtype_name(dtype));
    TAP_OK(are_sums_right, name);
  }
  snprintf(name, sizeof name, "%s %s: scores and sums of rows with their own blocks", atl_backend_name(backend),
           atl_dtype_name(dtype));
  TAP_OK(are_own_right, name);
}

/* True if image token j attends to image token i: the rule of docs/model.md. */
static bool sees(atl_attention_kind_t kind, int32_t f, int32_t j, int32_t i) {
  int32_t r = j / f, c = j % f, r_i = i / f, c_i = i % f;
  if (i > j) return false;
  if (kind == ATL_ATTENTION_AXIAL_ROW) return r == r_i;
  if (kind == ATL_ATTENTION_AXIAL_COL) return c == c_i;
  if (kind == ATL_ATTENTION_CONV_LIKE) return r_i >= r - 4 && c_i >= c - 4 && c_i <= c;
  return true;
}

/* Tokens are stored one by one, each marked by its index; what a token sees is read back through its spans. */
static bool check_view(atl_kvcache_t *cache, int32_t sample, int32_t token) {
  atl_span_t spans[ATL_MAX_SPANS];
  int n_spans = atl_kvcache_get_image(cache, sample, 1, token, spans), i_span = 0;
  int64_t i = 0, size = cache->shape.head_size;
  for (int32_t other = 0; other <= token; other++) {
    if (!sees(cache->shape.kind, cache->shape.image_side, token, other)) continue;
    if (i_span == n_spans) return false;
    int64_t lane = spans[i_span].first_lane + i;
    const float *k = (const void *)(spans[i_span].k + (size_t)(lane / 16) * spans[i_span].k_step);
    const float *v = (const void *)(spans[i_span].v + (size_t)(lane / 16) * spans[i_span].v_step);
    for (int64_t e = 0; e < size; e++) {
      if (k[e * 16 + lane % 16] != (float)(other * 100 + e)) return false;
      if (v[lane % 16 * cache->row_size + e] != (float)(-other * 100 - e)) return false;
    }
    if (++i == spans[i_span].n_keys) i_span++, i = 0;
  }
  return i_span == n_spans && i == 0;
}

static void check_cache(atl_attention_kind_t kind, int32_t side, int32_t n_together) {
  const atl_kvcache_shape_t shape = {.kind = kind,
                                     .text_dtype = ATL_F32,
                                     .image_dtype = ATL_F32,
                                     .n_text = 3,
                                     .image_side = side,
                                     .n_heads = 2,
                                     .head_size = 5,
                                     .n_prefixes = 2,
                                     .n_samples = 3,
                                     .n_together = n_together};
  atl_arena_t arena = {0};
  atl_kvcache_t cache;
  TAP_STATUS(ATL_OK, atl_kvcache_init(&cache, &shape, &arena), "a cache is created");
  bool is_right = true;
  for (int32_t j = 0; j < side * side; j++) {
    float k[5], v[5], other[5] = {7, 7, 7, 7, 7};
    for (int e = 0; e < 5; e++) k[e] = (float)(j * 100 + e), v[e] = -k[e];
    atl_kvcache_store_image(&cache, 1, 1, j, k, v);
    atl_kvcache_store_image(&cache, 1, 0, j, other, other);
    atl_kvcache_store_image(&cache, 0, 1, j, other, other);
    is_right &= check_view(&cache, 1, j);
    atl_kvcache_copy(&cache, 2, 1, j + 1);
    is_right &= check_view(&cache, 2, j);
  }
  for (int32_t next = 1; next < 3; next++)
    TAP_OK(atl_kvcache_are_neighbours(&cache, next - 1, next) == (next % n_together != 0),
           "samples of one tile are neighbours, others are not");
  char name[128];
  snprintf(name, sizeof name,
           "%s of %d, samples in tiles of %d: a token and its copy see exactly what they should, oldest first",
           atl_attention_name(kind), side, n_together);
  TAP_OK(is_right, name);
  atl_arena_clear(&arena);
}

int main(void) {
  static values_t values;
  static const atl_backend_t backends[] = {ATL_BACKEND_PLAIN, ATL_BACKEND_AVX2, ATL_BACKEND_AVX512};
  static const int32_t sides[] = {1, 2, 4, 5, 8, 16, 17, 21};
  fill(&values, 1);
  for (int i = 0; i < 3; i++) {
    if (!atl_backend_is_available(backends[i], ATL_F32)) {
      TAP_SKIP("this processor lacks the instruction set");
      continue;
    }
    check_kernels(&values, ATL_F32, backends[i]);
    check_kernels(&values, ATL_BF16, backends[i]);
    check_kernels(&values, ATL_I8, backends[i]);
  }
  for (int i = 0; i < 8; i++)
    for (int kind = ATL_ATTENTION_FULL; kind <= ATL_ATTENTION_CONV_LIKE; kind++)
      for (int32_t n_together = 1; n_together <= 3; n_together++)
        check_cache((atl_attention_kind_t)kind, sides[i], n_together);
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
