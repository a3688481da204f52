/* Attention kernels: scores against cached keys, and weighted sums of cached values, for several query rows at once.
 * They are local, allocate nothing and borrow what they are given.
 *
 * Keys lie in blocks of 16, one lane per key: k(n_blocks,E,16). A score is two chains of fused multiply-adds in order
 * of e, one over the even and one over the odd channels, and their sum, whatever the vector width. Values lie as rows
 * v(n_keys,E'), where E' is E rounded up to 16, and a sum is one chain in order of keys. F32 and BF16 caches hold items
 * of that dtype; items are widened on loading, and all arithmetic is fp32.
 *
 * I8 stores integers: value = integer * per-slot scale. A block ends with 16 fp32 scales, one per slot. Items lie in
 * pairs: two channels of a key, k(n_blocks,E/2,16,2), and two slots of a channel, v(n_blocks,8,E',2). Queries and a
 * block's 16 weights are quantised to 16-bit integers, so products add up exactly in integers and only the sums are
 * converted to fp32.
 *
 * With every dtype a row's result has the same bits alone or among others, and on every CPU.
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

/* For keys that all rows share; NULL for I8.
 * scores(n_rows,n_blocks*16), rows ld_scores apart <- q(n_rows,E), rows ldq apart, times k(n_blocks,E,16). */
typedef void (*atl_attention_scores_t)(float *scores, int64_t ld_scores, const float *q, int64_t ldq, int64_t n_rows,
                                       const void *k, int64_t n_blocks, int64_t head_size);
/* For values that all rows share; NULL for I8.
 * out(n_rows,E'), rows ldo apart += p(n_rows,n_keys), rows ldp apart, times v(n_keys,E'). */
typedef void (*atl_attention_values_t)(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows,
                                       const void *v, int64_t n_keys, int64_t row_size);

/* The same for rows that each have their own keys and values, one block per row, contiguous: k(n_rows,E,16),
 * v(n_rows,16,E'). own_query converts a query row into the form that own_scores takes, in room for E' floats.
 * own_values sums n_keys slots from first_lane on, weighted by p(n_rows,n_keys). */
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

/* Bytes of a block of 16 slots of `size` items each. */
static inline size_t atl_attention_block_bytes(atl_dtype_t dtype, int64_t size) {
  if (dtype == ATL_I8) return (size_t)((size + size % 2) * ATL_KEY_BLOCK + ATL_SCALES_BYTES);
  return (size_t)(size * ATL_KEY_BLOCK) * atl_dtype_bytes(dtype);
}

/* The kernels for a cache of `dtype` (F32, BF16 or I8) from a backend, or from the one it delegates to. */
atl_attention_kernels_t atl_attention_kernels_get(atl_dtype_t dtype, atl_backend_t backend);

#endif
