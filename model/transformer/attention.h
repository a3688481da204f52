/* Attention: causal self-attention of one layer for the rows of a call, over text and image keys in one softmax
 * (docs/model.md). The cache decides which keys a row sees; this module walks them.
 *
 * A row's scores are one contiguous line: text keys, then image keys, oldest first. Softmax and the sum of values run
 * over the line in that order. The rows of a group share the loads of their text keys and values. Image keys and values
 * come from memory and are read in storage order, block by block, for all rows of a row span. Threads divide the work
 * by heads, so no sum is split between threads. When the cache is a ring and a sample has several rows in the call,
 * each head goes row by row, because a token must be read before a later one overwrites its slot.
 *
 * Training: there is no cache, and all rows of a sample come in one call. forward will record q and k (after rotation),
 * v, its output, and the log-sum-exp of each row and head. backward will recompute the scores block by block and sum dK
 * and dV in row order within one (sample, head).
 */
#ifndef ATL_MODEL_TRANSFORMER_ATTENTION_H
#define ATL_MODEL_TRANSFORMER_ATTENTION_H

#include "model/kernels/attention/attention.h"
#include "model/kernels/attention/rotary.h"
#include "model/transformer/kvcache.h"
#include "model/transformer/rows.h"

typedef struct {
  int32_t n_heads, head_size, n_text; /* H, E, T+1 */
  int32_t n_threads;
  int64_t row_size; /* E' */
  size_t text_item_bytes;
  int64_t ld_scores;    /* floats from one line of scores to the next: T+1+I, and room for a block */
  int64_t thread_items; /* floats of scratch per thread */
  float *scratch;       /* (n_threads,thread_items) */
  atl_attention_kernels_t text_kernels, image_kernels;
  atl_rotary_t rotary; /* applied to q, k and v alike */
} atl_attention_workspace_t;

/* Bytes of the scratch and the rotary table. Depends on the number of OpenMP threads. */
size_t atl_attention_bytes(const atl_transformer_config_t *config);
/* MEMORY. angles (T+1+I,R) is `transformer.pos_emb`, or NULL without rotary positions; borrowed during the call only.
 * The arena owns. */
atl_status_t atl_attention_init(atl_attention_workspace_t *work, const atl_transformer_config_t *config,
                                const float *angles, atl_dtype_t text_dtype, atl_dtype_t image_dtype,
                                atl_backend_t backend, atl_arena_t *arena);
/* attended(n,H*E) <- qkv(n,3*H*E), which is overwritten. Stores the rows' keys and values in the cache. */
void atl_attention_forward(const atl_attention_workspace_t *work, atl_kvcache_t *cache, float *attended, float *qkv,
                           const atl_rows_t *rows);

#endif
