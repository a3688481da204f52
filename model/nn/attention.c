/* A task is one head of one sequence. It transposes the keys and copies the values once, so that both products are the
 * same loop: a row of results is the sum over k of a scalar times a contiguous row, in order of k. GROUP queries share
 * each load; their sums, BLOCK columns each, stay in registers. */
#include "model/nn/attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "common/round.h"
#include "model/kernels/activation/activation.h"
#include "model/kernels/lanes.h"

enum { N_SUMS = 4, BLOCK = N_SUMS * ATL_LANES, GROUP = 4 };

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

static size_t thread_items(const atl_nn_attention_spec_t *spec) {
  size_t keys = (size_t)atl_round_up(spec->most_keys, BLOCK), head = (size_t)atl_round_up(spec->head_size, BLOCK);
  return (size_t)spec->head_size * keys + (size_t)spec->most_keys * head + GROUP * (keys + 2 * head);
}

size_t atl_nn_attention_bytes(const atl_nn_attention_spec_t *spec) {
  return (size_t)spec->n_threads * thread_items(spec) * sizeof(float);
}

atl_status_t atl_nn_attention_init(atl_nn_attention_t *layer, const atl_nn_attention_spec_t *spec, atl_arena_t *arena) {
  *layer = (atl_nn_attention_t){.spec = *spec, .thread_items = thread_items(spec)};
  return ATL_TAKE(arena, (size_t)spec->n_threads * layer->thread_items, &layer->scratch);
}

/* One head of one sequence. */
typedef struct {
  const float *q, *k, *v; /* of the first query and the first key */
  float *out;             /* of the first query */
  int64_t stride, out_stride;
  int64_t first_query, n_queries, n_keys, head_size;
  bool is_causal;
} head_t;

static int64_t count_seen(const head_t *h, int64_t i_query) {
  return h->is_causal ? h->first_query + i_query + 1 : h->n_keys;
}

/* A thread's scratch. n_keys and head_size are padded to whole blocks. */
typedef struct {
  int64_t n_keys, head_size;
  float *keys;     /* (E,n_keys): transposed */
  float *values;   /* (keys,head_size) */
  float *scores;   /* (GROUP,n_keys) */
  float *query;    /* (GROUP,head_size), scaled */
  float *attended; /* (GROUP,head_size) */
} workspace_t;

static void load_head(const head_t *h, workspace_t *w) {
  for (int64_t j = 0; j < h->n_keys; j++) {
    for (int64_t e = 0; e < h->head_size; e++) w->keys[e * w->n_keys + j] = h->k[j * h->stride + e];
    memcpy(w->values + j * w->head_size, h->v + j * h->stride, (size_t)h->head_size * sizeof(float));
  }
}

/* Queries [first, end), at most GROUP. Rows after the last query are computed from stale values and not used. Keys that
 * a query does not see get weight 0. */
static void attend_group(const head_t *h, const workspace_t *w, int64_t first, int64_t end) {
  float scale = 1.0f / sqrtf((float)h->head_size);
  int64_t n_seen = count_seen(h, end - 1);
  for (int64_t i = first; i < end; i++)
    for (int64_t e = 0; e < h->head_size; e++)
      w->query[(i - first) * w->head_size + e] = h->q[i * h->stride + e] * scale;
  combine(w->scores, w->query, w->head_size, w->keys, h->head_size, w->n_keys);
  for (int64_t i = first; i < end; i++) {
    float *scores = w->scores + (i - first) * w->n_keys;
    atl_activation_softmax(scores, count_seen(h, i));
    for (int64_t j = count_seen(h, i); j < n_seen; j++) scores[j] = 0;
  }
  combine(w->attended, w->scores, w->n_keys, w->values, n_seen, w->head_size);
  for (int64_t i = first; i < end; i++)
    memcpy(h->out + i * h->out_stride, w->attended + (i - first) * w->head_size, (size_t)h->head_size * sizeof(float));
}

static void attend(const head_t *h, float *scratch) {
  workspace_t w = {
      .n_keys = atl_round_up(h->n_keys, BLOCK), .head_size = atl_round_up(h->head_size, BLOCK), .keys = scratch};
  w.values = w.keys + h->head_size * w.n_keys;
  w.scores = w.values + h->n_keys * w.head_size;
  w.query = w.scores + GROUP * w.n_keys;
  w.attended = w.query + GROUP * w.head_size;
  load_head(h, &w);
  for (int64_t i = 0; i < h->n_queries; i += GROUP)
    attend_group(h, &w, i, i + GROUP < h->n_queries ? i + GROUP : h->n_queries);
}

static head_t head_of(const atl_nn_attention_t *layer, float *out, const atl_nn_attention_input_t *in,
                      int64_t i_sequence, int64_t i_head) {
  int64_t column = i_head * layer->spec.head_size, width = (int64_t)layer->spec.n_heads * layer->spec.head_size;
  int64_t first_row = i_sequence * in->n_keys;
  return (head_t){.q = in->q + (first_row + in->first_query) * in->stride + column,
                  .k = in->k + first_row * in->stride + column,
                  .v = in->v + first_row * in->stride + column,
                  .out = out + i_sequence * in->n_queries * width + column,
                  .stride = in->stride,
                  .out_stride = width,
                  .first_query = in->first_query,
                  .n_queries = in->n_queries,
                  .n_keys = in->n_keys,
                  .head_size = layer->spec.head_size,
                  .is_causal = layer->spec.is_causal};
}

void atl_nn_attention_forward(const atl_nn_attention_t *layer, float *out, const atl_nn_attention_input_t *input,
                              atl_nn_attention_saved_t *saved) {
  int64_t n_heads = layer->spec.n_heads;
  ATL_ASSERT(input->n_keys <= layer->spec.most_keys && input->first_query + input->n_queries <= input->n_keys);
  if (saved != NULL) *saved = (atl_nn_attention_saved_t){.input = *input, .out = out};
#pragma omp parallel for num_threads(layer->spec.n_threads)
  for (int64_t i = 0; i < input->n_sequences * n_heads; i++) {
    head_t head = head_of(layer, out, input, i / n_heads, i % n_heads);
    attend(&head, layer->scratch + (size_t)omp_get_thread_num() * layer->thread_items);
  }
}
