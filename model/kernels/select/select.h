/* Select: the loops over all image tokens that drawing one of them needs. Same bits on every CPU. Local. */
#ifndef ATL_MODEL_KERNELS_SELECT_SELECT_H
#define ATL_MODEL_KERNELS_SELECT_SELECT_H

#include <stdint.h>

enum { ATL_SELECT_BLOCK = 64 };

/* logits(n) <- null + guidance (logits - null); masked logits, -FLT_MAX or below, stay as they are. */
void atl_select_apply_guidance(float *logits, const float *null_logits, float guidance, int64_t n);
/* NaN and -infinity become -FLT_MAX, +infinity becomes FLT_MAX; returns the number of NaN and +infinity. */
int64_t atl_select_make_finite(float *logits, int64_t n);
/* weights(n) <- e^((logits - top) * scale); at most 1 when top is the largest and scale is positive. */
void atl_select_weigh(float *weights, const float *logits, float top, float scale, int64_t n);
/* sums <- the sum of each block of ATL_SELECT_BLOCK weights (the last may be shorter); returns these sums added in
 * order. */
double atl_select_sum(double *sums, const float *weights, int64_t n);

#endif
