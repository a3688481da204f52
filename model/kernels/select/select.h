/* Select: the loops over all tokens that drawing one of them takes. Same bits on every CPU. */
#ifndef ATL_MODEL_KERNELS_SELECT_SELECT_H
#define ATL_MODEL_KERNELS_SELECT_SELECT_H

#include <stdint.h>

enum { ATL_SELECT_BLOCK = 64 };

/* logits(n) <- null + guidance (logits - null) where they are not masked: the most negative float or below. */
void atl_select_apply_guidance(float *logits, const float *null_logits, float guidance, int64_t n);
/* NaN and -infinity become the most negative float, +infinity the largest; returns how many were NaN or +infinity. */
int64_t atl_select_make_finite(float *logits, int64_t n);
/* weights(n) <- e^((logits - top) * scale); at most 1 when top is the largest and scale is positive. */
void atl_select_weigh(float *weights, const float *logits, float top, float scale, int64_t n);
/* sums <- the sum of each block of ATL_SELECT_BLOCK weights, the last may be shorter; returns them added in order. */
double atl_select_sum(double *sums, const float *weights, int64_t n);

#endif
