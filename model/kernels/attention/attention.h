/* Attention kernels: scores against cached keys, and sums of cached values, for several query rows at once.
 *
 * Keys lie in blocks of 16: k(n_blocks,E,16), one lane a key, so that a score is two chains of fused multiply-adds in
 * order of e, one of the even and one of the odd channels, and their sum, whatever the vector width. Values lie as rows
 * v(n_keys,E'), E' = E rounded up to 16, and a sum is a chain in order of keys. F32 and BF16 caches hold what
 * atl_dtype_t says; items are widened on loading, and all arithmetic is fp32.
 *
 * I8 holds whole numbers, and a block ends with 16 fp32 scales: a slot's numbers are these times its scale. They lie in
 * pairs: two channels of a key, k(n_blocks,E/2,16,2), two values of a channel, v(n_blocks,8,E',2). Queries become
 * 16-bit whole numbers too, and so do a block's 16 weights: products add up exactly, in integers, and sums become fp32.
 *
 * Either way a row's result has the same bits alone or among others, and on every CPU.
 *
 *     atl_attention_kernels_t kernels = atl_attention_kernels_get(ATL_F32, ATL_BACKEND_AUTO);
 *     kernels.scores(s, ld, q, E, n_rows, k, n_blocks, E);
 *     atl_activation_softmax(s, n_keys);
 *     kernels.values(out, width, s, ld, n_rows, v, n_keys, width);   -- width is E'
 */
#ifndef ATL_MODEL_KERNELS_ATTENTION_ATTENTION_H
#define ATL_MODEL_KERNELS_ATTENTION_ATTENTION_H

#include "model/kernels/backend.h"

enum { ATL_KEY_BLOCK = 16, ATL_SCALES_BYTES = ATL_KEY_BLOCK * (int)sizeof(float) };

/* What rows read together; not for I8.
 * scores(n_rows,n_blocks*16), rows ld_scores apart <- q(n_rows,E), rows ldq apart, times k(n_blocks,E,16). */
typedef void (*atl_attention_scores_t)(float *scores, int64_t ld_scores, const float *q, int64_t ldq, int64_t n_rows,
                                       const void *k, int64_t n_blocks, int64_t head_size);
/* out(n_rows,E'), rows ldo apart += p(n_rows,n_keys), rows ldp apart, times v(n_keys,E'). */
typedef void (*atl_attention_values_t)(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows,
                                       const void *v, int64_t n_keys, int64_t row_size);

/* The same where every row has keys and values of its own, a block each, behind one another: k(n_rows,E,16), v(n_rows,
 * 16,E'), of which n_keys lanes from first_lane on are summed with p(n_rows,n_keys). Queries come as own_query makes
 * them, in the room of E' floats. */
typedef void (*atl_attention_own_query_t)(float *own, const float *q, int64_t head_size);
typedef void (*atl_attention_own_scores_t)(float *scores, int64_t ld_scores, const float *own, int64_t ld_own,
                                           int64_t n_rows, const void *k, int64_t head_size);
typedef void (*atl_attention_own_values_t)(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows,
                                           const void *v, int64_t first_lane, int64_t n_keys, int64_t row_size);

typedef struct {
  atl_attention_scores_t scores;
  atl_attention_values_t values;
  atl_attention_own_query_t own_query;
  atl_attention_own_scores_t own_scores;
  atl_attention_own_values_t own_values;
} atl_attention_kernels_t;

/* Bytes of a block whose slots have `size` items. */
static inline size_t atl_attention_block_bytes(atl_dtype_t dtype, int64_t size) {
  if (dtype == ATL_I8) return (size_t)((size + size % 2) * ATL_KEY_BLOCK + ATL_SCALES_BYTES);
  return (size_t)(size * ATL_KEY_BLOCK) * atl_dtype_bytes(dtype);
}

/* The kernels of a backend for a cache of `dtype` (F32, BF16 or I8), or of the one it delegates to. */
atl_attention_kernels_t atl_attention_kernels_get(atl_dtype_t dtype, atl_backend_t backend);

#endif
