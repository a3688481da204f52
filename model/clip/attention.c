/* One head at a time: its keys are transposed and its values copied once, so that both products are the same loop: a
 * row of results is a sum over k of a number times a contiguous row, in order of k. Queries go through it a few at a
 * time, which share what is loaded; their sums, BLOCK columns each, stay in registers. */
#include "model/clip/clip_private.h"

#include <math.h>

#include "model/kernels/activation/activation.h"
#include "model/kernels/lanes.h"

enum { N_SUMS = 4, BLOCK = N_SUMS * ATL_LANES, GROUP = 4 };

static int64_t round_up(int64_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

/* out(GROUP,n_columns) <- sum over k of a(GROUP,lda)[.,k] rows[k](n_columns); n_columns is a multiple of BLOCK. */
ATL_LANES_CLONES static void combine(float *out, const float *a, int64_t lda, const float *rows, int64_t n_rows,
                                     int64_t n_columns) {
  for (int64_t j = 0; j < n_columns; j += BLOCK) {
    atl_lanes_t sums[GROUP][N_SUMS] = {0};
    for (int64_t k = 0; k < n_rows; k++)
#pragma GCC unroll 4
      for (int s = 0; s < N_SUMS; s++) {
        atl_lanes_t row = lanes_load(rows + k * n_columns + j + s * ATL_LANES);
#pragma GCC unroll 4
        for (int g = 0; g < GROUP; g++) sums[g][s] += a[g * lda + k] * row;
      }
#pragma GCC unroll 4
    for (int g = 0; g < GROUP; g++)
#pragma GCC unroll 4
      for (int s = 0; s < N_SUMS; s++) lanes_store(out + g * n_columns + j + s * ATL_LANES, sums[g][s]);
  }
}

size_t atl_clip_attention_items(int32_t n_keys, int32_t head_size) {
  size_t keys = (size_t)round_up(n_keys), head = (size_t)round_up(head_size);
  return (size_t)head_size * keys + (size_t)n_keys * head + GROUP * (keys + 2 * head);
}

static int64_t count_seen(const atl_clip_attention_t *h, int64_t i_query) {
  return h->is_causal ? h->first_query + i_query + 1 : h->n_keys;
}

/* Where a head's numbers lie; the sizes are padded to whole blocks. */
typedef struct {
  int64_t n_keys, head_size;
  float *keys;   /* (E,n_keys): transposed */
  float *values; /* (keys,head_size) */
  float *scores; /* (GROUP,n_keys) */
  float *query;  /* (GROUP,head_size), scaled */
  float *mixed;  /* (GROUP,head_size) */
} head_t;

static void take_head(const atl_clip_attention_t *h, head_t *head) {
  for (int64_t j = 0; j < h->n_keys; j++) {
    for (int64_t e = 0; e < h->head_size; e++) head->keys[e * head->n_keys + j] = h->k[j * h->stride + e];
    memcpy(head->values + j * head->head_size, h->v + j * h->stride, (size_t)h->head_size * sizeof(float));
  }
}

/* Queries [first, end) of the caller's, at most GROUP; rows beyond the last are computed from what was there and not
 * used. A key that a query does not see gets weight 0. */
static void attend_group(const atl_clip_attention_t *h, const head_t *head, int64_t first, int64_t end) {
  float scale = 1.0f / sqrtf((float)h->head_size);
  int64_t n_seen = count_seen(h, end - 1);
  for (int64_t i = first; i < end; i++)
    for (int64_t e = 0; e < h->head_size; e++)
      head->query[(i - first) * head->head_size + e] = h->q[(h->first_query + i) * h->stride + e] * scale;
  combine(head->scores, head->query, head->head_size, head->keys, h->head_size, head->n_keys);
  for (int64_t i = first; i < end; i++) {
    float *scores = head->scores + (i - first) * head->n_keys;
    atl_activation_softmax(scores, count_seen(h, i));
    for (int64_t j = count_seen(h, i); j < n_seen; j++) scores[j] = 0;
  }
  combine(head->mixed, head->scores, head->n_keys, head->values, n_seen, head->head_size);
  for (int64_t i = first; i < end; i++)
    memcpy(h->features + i * h->out_stride, head->mixed + (i - first) * head->head_size,
           (size_t)h->head_size * sizeof(float));
}

void atl_clip_attend(const atl_clip_attention_t *h, float *scratch) {
  head_t head = {.n_keys = round_up(h->n_keys), .head_size = round_up(h->head_size), .keys = scratch};
  head.values = head.keys + h->head_size * head.n_keys;
  head.scores = head.values + h->n_keys * head.head_size;
  head.query = head.scores + GROUP * head.n_keys;
  head.mixed = head.query + GROUP * head.head_size;
  take_head(h, &head);
  for (int64_t i = 0; i < h->n_queries; i += GROUP)
    attend_group(h, &head, i, i + GROUP < h->n_queries ? i + GROUP : h->n_queries);
}
