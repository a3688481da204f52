/* Activation layer: y = act(z), elementwise. GEGLU splits z(n,w) into [value | gate] and gives y(n,w/2) = value *
 * gelu(gate). Inference fuses the activation into the linear layer before it (nn/linear.h). Training runs it as a
 * layer, because its backward needs z.
 */
#ifndef ATL_MODEL_NN_ACTIVATION_H
#define ATL_MODEL_NN_ACTIVATION_H

#include "model/kernels/linear/linear.h"

/* y(n,width), or y(n,width/2) with GEGLU, <- z(n,width). The bits are those of the fused activation. y may not be z. */
void atl_nn_activation_forward(atl_activation_t kind, float *y, const float *z, int64_t n, int64_t width);
/* dz(n,width) <- dy, which has the shape of forward's y, and forward's z(n,width). dz may be z. */
void atl_nn_activation_backward(atl_activation_t kind, float *dz, const float *dy, const float *z, int64_t n,
                                int64_t width);

#endif
