/* Conv through oneDNN: one primitive for one picture, its weights in the layout the library likes best. Private to
 * model/kernels/conv/conv.c. */
#ifndef ATL_MODEL_KERNELS_CONV_ONEDNN_H
#define ATL_MODEL_KERNELS_CONV_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/tensor.h"

typedef struct atl_conv_onednn atl_conv_onednn_t;

typedef struct {
  const float *weight; /* (O,k,k,I); read during `new` only */
  const float *bias;   /* (O) or NULL; copied */
  int32_t n_in, n_out;
  int32_t kernel, stride;
  int32_t pad_y, pad_x; /* before the first row and column; what is missing after the last follows from the sizes */
  int32_t height, width, out_height, out_width;
  bool has_relu, accumulates;
  atl_dtype_t dtype; /* of x and the packed weights: ATL_F32 or ATL_BF16; sums and y are fp32 */
} atl_conv_onednn_spec_t;

/* INTERNAL with the library's status when it refuses; MEMORY. Caller owns. */
atl_status_t atl_conv_onednn_new(const atl_conv_onednn_spec_t *spec, atl_conv_onednn_t **conv);
void atl_conv_onednn_destroy(atl_conv_onednn_t **conv);
/* y(H',W',O) of one picture <- x(H,W,I) of the spec's dtype. */
void atl_conv_onednn_apply(const atl_conv_onednn_t *conv, float *y, const void *x);
size_t atl_conv_onednn_bytes(const atl_conv_onednn_t *conv);

#endif
