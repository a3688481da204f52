/* One head at a time: its keys are transposed and its values copied once, so that both products are the same loop: a
 * row of results is a sum over k of a number times a contiguous row, held in 64 lanes of registers, in order of k. */
#include "model/clip_parts.h"

#include <math.h>

#include "model/kernels/activation.h"
#include "model/kernels/lanes.h"

enum { N_SUMS = 4, BLOCK = N_SUMS * ATL_LANES };

static int64_t round_up(int64_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

/* out(n_columns) <- sum over k of a[k] rows[k](n_columns); n_columns is a multiple of BLOCK. */
ATL_LANES_CLONES static void combine(float *out, const float *a, const float *rows, int64_t n_rows, int64_t n_columns) {
  for (int64_t j = 0; j < n_columns; j += BLOCK) {
    atl_lanes_t sums[N_SUMS] = {0};
    for (int64_t k = 0; k < n_rows; k++)
      for (int s = 0; s < N_SUMS; s++) sums[s] += a[k] * lanes_load(rows + k * n_columns + j + s * ATL_LANES);
    for (int s = 0; s < N_SUMS; s++) lanes_store(out + j + s * ATL_LANES, sums[s]);
  }
}

size_t atl_clip_attention_items(int32_t n_keys, int32_t head_size) {
  size_t keys = (size_t)round_up(n_keys), head = (size_t)round_up(head_size);
  return (size_t)head_size * keys + (size_t)n_keys * head + keys + 2 * head;
}

void atl_clip_attend(const atl_clip_attention_t *h, float *scratch) {
  int64_t n_keys = round_up(h->n_keys), head_size = round_up(h->head_size);
  float *keys = scratch, *values = keys + h->head_size * n_keys; /* (E,n_keys), (n_keys,E) padded */
  float *scores = values + h->n_keys * head_size, *query = scores + n_keys, *mixed = query + head_size;
  for (int64_t j = 0; j < h->n_keys; j++) {
    for (int64_t e = 0; e < h->head_size; e++) keys[e * n_keys + j] = h->k[j * h->stride + e];
    memcpy(values + j * head_size, h->v + j * h->stride, (size_t)h->head_size * sizeof *values);
  }
  float scale = 1.0f / sqrtf((float)h->head_size);
  for (int64_t i = 0; i < h->n_queries; i++) {
    int64_t n_seen = h->is_causal ? i + 1 : h->n_keys;
    for (int64_t e = 0; e < h->head_size; e++) query[e] = h->q[i * h->stride + e] * scale;
    combine(scores, query, keys, h->head_size, n_keys);
    atl_activation_softmax(scores, n_seen);
    combine(mixed, scores, values, n_seen, head_size);
    memcpy(h->features + i * h->out_stride, mixed, (size_t)h->head_size * sizeof *mixed);
  }
}
