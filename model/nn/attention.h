/* Full attention: softmax(q k^T E^-1/2) v of every head of every sequence, each query over all keys of its sequence, or,
 * causal, over those up to its own position. It has no weights: the linear layers before and behind it do. The
 * transformer's attention over a cache is transformer/attention.h.
 *
 *     atl_nn_attention_t attention;
 *     ATL_TRY(atl_nn_attention_init(&attention, &spec, &arena));
 *     atl_nn_attention_forward(&attention, attended, &(atl_nn_attention_input_t){...}, NULL);
 *
 * Training: forward with saved notes its input and its output. Backward computes the scores of a block of queries again
 * from q and k, and needs per query delta = sum of dout * out; dK and dV are summed in order of queries within one task of
 * (sequence, head), so that no sum depends on threads.
 */
#ifndef ATL_MODEL_NN_ATTENTION_H
#define ATL_MODEL_NN_ATTENTION_H

#include <stdbool.h>

#include "common/arena.h"

typedef struct {
  int32_t n_heads, head_size; /* H, E */
  int32_t most_keys;          /* of a sequence */
  int32_t n_threads;          /* at most; each has scratch */
  bool is_causal;
} atl_nn_attention_spec_t;

typedef struct {
  atl_nn_attention_spec_t spec;
  size_t thread_items;
  float *scratch; /* (n_threads,thread_items) */
} atl_nn_attention_t;

/* Rows of q, k and v are `stride` apart, a head's columns E apart. Row i of sequence s is row s * n_keys + i. */
typedef struct {
  const float *q, *k, *v;
  int64_t stride;
  int32_t n_sequences, n_keys;
  int32_t first_query, n_queries; /* of each sequence: query i is row first_query + i of q */
} atl_nn_attention_input_t;

typedef struct {
  atl_nn_attention_input_t input; /* noted by forward; the caller keeps the rows until backward */
  const float *out;
} atl_nn_attention_saved_t;

/* Bytes of scratch. Pure. */
size_t atl_nn_attention_bytes(const atl_nn_attention_spec_t *spec);
/* MEMORY. The arena owns. */
atl_status_t atl_nn_attention_init(atl_nn_attention_t *layer, const atl_nn_attention_spec_t *spec, atl_arena_t *arena);
/* out(n_sequences,n_queries,H*E) <- input. OpenMP inside. */
void atl_nn_attention_forward(const atl_nn_attention_t *layer, float *out, const atl_nn_attention_input_t *input,
                              atl_nn_attention_saved_t *saved);

#endif
