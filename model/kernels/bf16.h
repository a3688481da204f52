/* bf16: rounds rows of fp32 to bf16, the input format of the bf16 kernels. */
#ifndef ATL_MODEL_KERNELS_BF16_H
#define ATL_MODEL_KERNELS_BF16_H

#include <stdint.h>

/* out(n) <- x(n), each rounded as atl_bf16_from_f32 does: to nearest, ties to even, NaN preserved. */
void atl_bf16_round(uint16_t *out, const float *x, int64_t n);

#endif
