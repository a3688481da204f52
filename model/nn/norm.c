#include "model/nn/norm.h"

#include "common/status.h"
#include "model/kernels/norm/norm.h"

void atl_nn_norm_forward(const atl_nn_norm_t *layer, float *y, const float *x, int64_t n, atl_nn_norm_saved_t *saved) {
  if (saved != NULL) {
    ATL_ASSERT(y != x);
    saved->x = x;
    saved->n = n;
  }
  atl_norm_layer(y, x, layer->weight, layer->bias, n, layer->width);
}
