/* bf16: rows of fp32 rounded to bf16, the form in which bf16 kernels take what they multiply. */
#ifndef ATL_MODEL_KERNELS_BF16_H
#define ATL_MODEL_KERNELS_BF16_H

#include <stdint.h>

/* out(n) <- x(n), each as atl_bf16_from_f32 gives it: to nearest, even on a tie, NaN kept. */
void atl_bf16_round(uint16_t *out, const float *x, int64_t n);

#endif
