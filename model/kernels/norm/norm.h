/* Norm: LayerNorm over rows. A row's result depends on that row alone, bit for bit, on every CPU. Local. */
#ifndef ATL_MODEL_KERNELS_NORM_NORM_H
#define ATL_MODEL_KERNELS_NORM_NORM_H

#include <stdint.h>

/* y(n_rows,width) <- (x - mean) / sqrt(variance + 1e-5) * weight(width) + bias(width), with the biased variance. Rows
 * lie `width` apart; y may be x. OpenMP inside. */
void atl_norm_layer(float *y, const float *x, const float *weight, const float *bias, int64_t n_rows, int64_t width);
/* y(n_rows,width) <- x / |x|, without an epsilon; y may be x. */
void atl_norm_unit(float *y, const float *x, int64_t n_rows, int64_t width);

#endif
