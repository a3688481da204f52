/* Attention: one layer's causal self-attention of the rows of a call over text and image keys in one softmax
 * (docs/model.md). Which keys a row sees is the cache's knowledge; this is how they are gone through.
 *
 * A row's scores lie in one line, text first, then the image, oldest first; softmax and the sum of values run over that
 * line in order. Rows of a group share the loads of their text keys and values; image keys and values, which come from
 * memory, are read block by block for all rows of a row span, as they lie. Threads share the work by heads, so no sum is
 * ever split. A layer whose cache is a ring, in a call where a sample has several rows, goes row by row within each head:
 * a token must be read before a later one takes its slot.
 *
 * Training: there is no cache, and a sample's rows all come in one call. forward will note q and k (after rotation), v and
 * its output, and keep one number a row and head, the logarithm of the sum of its exponentials; backward computes the
 * scores again block by block and sums dK and dV in order of rows within one (sample, head).
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
  int64_t ld_scores;    /* a line of scores: T+1+I and room for a block */
  int64_t thread_items; /* floats of scratch a thread has */
  float *scratch;       /* (n_threads,thread_items) */
  atl_attention_kernels_t text_kernels, image_kernels;
  atl_rotary_t rotary; /* applied to q, k and v alike */
} atl_attention_workspace_t;

/* Bytes of scratch and rotary table. Depends on the number of OpenMP threads. */
size_t atl_attention_bytes(const atl_transformer_config_t *config);
/* MEMORY. angles (T+1+I,R): `transformer.pos_emb`, read during the call only; NULL without rotary. The arena owns. */
atl_status_t atl_attention_init(atl_attention_workspace_t *work, const atl_transformer_config_t *config,
                                const float *angles, atl_dtype_t text_dtype, atl_dtype_t image_dtype,
                                atl_backend_t backend, atl_arena_t *arena);
/* attended(n,H*E) <- qkv(n,3*H*E), which is overwritten; the rows' keys and values enter the cache. */
void atl_attention_forward(const atl_attention_workspace_t *work, atl_kvcache_t *cache, float *attended, float *qkv,
                           const atl_rows_t *rows);

#endif
