/* Convolution layer over the packed weights of model/kernels/conv: y(n,H',W',O) <- x(n,H,W,I), channels last.
 *
 * Inference: `init` packs the weights. ReLU, the addition into y, and a 1x1 convolution after a transposed one are
 * fused. Training: forward with `saved` records x and y. Backward needs x for dW, and y to find where ReLU was zero.
 * The fused 1x1 convolution becomes a separate layer, because its input must be kept.
 *
 *     atl_nn_conv_t conv = {0};
 *     ATL_TRY(atl_nn_conv_init(&conv, &spec));
 *     atl_nn_conv_forward(&conv, y, x, n, NULL);
 *     atl_nn_conv_clear(&conv);
 */
#ifndef ATL_MODEL_NN_CONV_H
#define ATL_MODEL_NN_CONV_H

#include "model/kernels/conv/conv.h"

typedef struct {
  atl_conv_t *packed;
} atl_nn_conv_t;

typedef struct {
  const float *x, *y; /* recorded by forward; the caller keeps both until backward */
  int64_t n;
} atl_nn_conv_saved_t;

/* UNSUPPORTED, MEMORY as atl_conv_new. Borrows the weights during the call only. Caller clears, also after a failure.
 */
atl_status_t atl_nn_conv_init(atl_nn_conv_t *layer, const atl_conv_spec_t *spec);
void atl_nn_conv_clear(atl_nn_conv_t *layer);
/* y(n,H',W',O) <- x(n,H,W,I). `saved` may be NULL. y may not be x. */
void atl_nn_conv_forward(const atl_nn_conv_t *layer, float *y, const float *x, int64_t n, atl_nn_conv_saved_t *saved);

#endif
