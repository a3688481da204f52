#include "model/nn/conv.h"

atl_status_t atl_nn_conv_init(atl_nn_conv_t *layer, const atl_conv_spec_t *spec) {
  return atl_conv_new(spec, &layer->packed);
}

void atl_nn_conv_clear(atl_nn_conv_t *layer) { atl_conv_destroy(&layer->packed); }

void atl_nn_conv_forward(const atl_nn_conv_t *layer, float *y, const float *x, int64_t n, atl_nn_conv_saved_t *saved) {
  if (saved != NULL) *saved = (atl_nn_conv_saved_t){.x = x, .y = y, .n = n};
  atl_conv_apply(layer->packed, y, x, n);
}
