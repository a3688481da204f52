/* Activation as a layer of its own: y = act(z), elementwise, or y(n,w/2) = value * gelu(gate) of z(n,w) = [value | gate]
 * with GEGLU. Inference fuses it into the linear layer before it (nn/linear.h); training keeps z.
 */
#ifndef ATL_MODEL_NN_ACTIVATION_H
#define ATL_MODEL_NN_ACTIVATION_H

#include "model/kernels/linear/linear.h"

/* y(n,width), or y(n,width/2) with GEGLU, <- z(n,width), whose bits a fused activation would give. y may not be z. */
void atl_nn_activation_forward(atl_activation_t kind, float *y, const float *z, int64_t n, int64_t width);
/* dz(n,width) <- dy of forward's shape, and the same z; dz may be z. */
void atl_nn_activation_backward(atl_activation_t kind, float *dz, const float *dy, const float *z, int64_t n,
                                int64_t width);

#endif
