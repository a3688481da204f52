/* LayerNorm: y = (x - mean) / sqrt(variance + 1e-5) * weight + bias, row by row.
 *
 * Training: forward with `saved` records x. Backward will recompute mean and variance from x, which is cheaper than
 * keeping them. With xh = (x - mean) / sqrt(variance + 1e-5), the gradients of bias and weight are the sums of dy and
 * of dy * xh over the rows, added in the order of kernels/linear/gradient.h.
 */
#ifndef ATL_MODEL_NN_NORM_H
#define ATL_MODEL_NN_NORM_H

#include <stdint.h>

typedef struct {
  const float *weight, *bias; /* (width); borrowed */
  int64_t width;
} atl_nn_norm_t;

typedef struct {
  const float *x; /* (n,width); recorded by forward; the caller keeps the rows until backward */
  int64_t n;
} atl_nn_norm_saved_t;

/* y(n,width) <- x(n,width). Without `saved`, y may be x. */
void atl_nn_norm_forward(const atl_nn_norm_t *layer, float *y, const float *x, int64_t n, atl_nn_norm_saved_t *saved);

#endif
