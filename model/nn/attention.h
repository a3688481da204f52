/* Full attention: softmax(q k^T / sqrt(E)) v for every head of every sequence. A query sees all keys of its sequence
 * or, causal, those up to its own position. The layer has no weights; the projections are linear layers before and
 * after it. For the transformer's attention over a cache see transformer/attention.h.
 *
 *     atl_nn_attention_t attention;
 *     ATL_TRY(atl_nn_attention_init(&attention, &spec, &arena));
 *     atl_nn_attention_forward(&attention, attended, &input, NULL);
 *
 * Training: forward with `saved` records input and output. Backward will recompute the scores of a block of queries
 * from q and k; per query it needs delta = sum of dy * y. One task per (sequence, head) will sum dK and dV in query
 * order, so that no sum depends on threads.
 */
#ifndef ATL_MODEL_NN_ATTENTION_H
#define ATL_MODEL_NN_ATTENTION_H

#include <stdbool.h>

#include "common/arena.h"

typedef struct {
  int32_t n_heads, head_size; /* H, E */
  int32_t most_keys;          /* the longest sequence */
  int32_t n_threads;          /* at most; each has its own scratch */
  bool is_causal;
} atl_nn_attention_spec_t;

typedef struct {
  atl_nn_attention_spec_t spec;
  size_t thread_items;
  float *scratch; /* (n_threads,thread_items) */
} atl_nn_attention_t;

/* Rows of q, k and v are `stride` floats apart; head h has columns [h*E,(h+1)*E). Row i of sequence s is row s * n_keys
 * + i. */
typedef struct {
  const float *q, *k, *v;
  int64_t stride;
  int32_t n_sequences, n_keys;
  int32_t first_query, n_queries; /* per sequence: query i is row first_query + i of its rows of q */
} atl_nn_attention_input_t;

typedef struct {
  atl_nn_attention_input_t input; /* recorded by forward, like out; the caller keeps all rows until backward */
  const float *out;
} atl_nn_attention_saved_t;

/* Bytes of scratch. Pure. */
size_t atl_nn_attention_bytes(const atl_nn_attention_spec_t *spec);
/* MEMORY. The arena owns. */
atl_status_t atl_nn_attention_init(atl_nn_attention_t *layer, const atl_nn_attention_spec_t *spec, atl_arena_t *arena);
/* out(n_sequences,n_queries,H*E) <- input, with OpenMP over (sequence, head). `saved` may be NULL. */
void atl_nn_attention_forward(const atl_nn_attention_t *layer, float *out, const atl_nn_attention_input_t *input,
                              atl_nn_attention_saved_t *saved);

#endif
