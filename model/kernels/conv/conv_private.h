/* Conv, internal: what a backend with its own convolutions provides. For the others conv.c gathers windows and runs
 * linear layers. */
#ifndef ATL_MODEL_KERNELS_CONV_CONV_PRIVATE_H
#define ATL_MODEL_KERNELS_CONV_CONV_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kernels/backend_private.h"

typedef struct atl_conv_part atl_conv_part_t; /* one convolution of one picture; each backend defines the struct */

typedef struct {
  const float *weight; /* (O,k,k,I); read during `new` only */
  const float *bias;   /* (O) or NULL; copied */
  int32_t n_in, n_out;
  int32_t kernel, stride;
  int32_t pad_y, pad_x; /* before the first row and column; the padding after the last follows from the sizes */
  int32_t height, width, out_height, out_width;
  bool has_relu, accumulates;
  atl_dtype_t dtype; /* of x and the packed weights: ATL_F32 or ATL_BF16; sums and y are fp32 */
} atl_conv_part_spec_t;

struct atl_conv_ops {
  const char *(*lacks)(atl_dtype_t dtype); /* the feature this CPU lacks; NULL when none */
  /* INTERNAL with the library's status if it refuses; MEMORY. Caller owns. */
  atl_status_t (*create)(const atl_conv_part_spec_t *spec, atl_conv_part_t **part);
  void (*destroy)(atl_conv_part_t **part); /* accepts NULL */
  /* y(H',W',O) of one picture <- x(H,W,I) of the spec's dtype. */
  void (*apply)(const atl_conv_part_t *part, float *y, const void *x);
  size_t (*bytes)(const atl_conv_part_t *part); /* bytes allocated */
};

extern const atl_conv_ops_t atl_conv_onednn;

#endif
