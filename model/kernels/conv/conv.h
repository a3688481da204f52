/* Conv: 2-D convolution and transposed convolution of channels-last pictures, with weights packed once at load.
 *
 *     y(n,H',W',O) = act(conv(x(n,H,W,I)) + b(O))           or, accumulating, act(y + conv(x) + b)
 *
 *     atl_conv_t *conv;
 *     atl_conv_spec_t spec = {.weight = w, .bias = b, .n_in = 64, .n_out = 64, .kernel = 4, .stride = 2, .padding = 1,
 *                             .height = 32, .width = 32, .is_transposed = true, .has_relu = true};
 *     ATL_TRY(atl_conv_new(&spec, &conv));
 *     atl_conv_apply(conv, y, x, n_images);
 *     atl_conv_destroy(&conv);
 *
 * Each picture is computed alone, so on every backend its result is bit for bit the same for any number of pictures in
 * the call and any number of threads. With channels last, a 1x1 convolution is a linear layer over pixels.
 *
 * dtype BF16 means the same as for a linear layer: weights and x are rounded to bf16; sums, bias and y are fp32. */
#ifndef ATL_MODEL_KERNELS_CONV_CONV_H
#define ATL_MODEL_KERNELS_CONV_CONV_H

#include "model/kernels/backend.h"

typedef struct atl_conv atl_conv_t;

typedef struct {
  const float *weight; /* (O,I,k,k), transposed: (I,O,k,k), as PyTorch has it; read during `new` only */
  const float *bias;   /* (O) or NULL; copied */
  int32_t n_in, n_out;
  int32_t kernel, stride, padding;
  int32_t height, width;  /* of x */
  bool is_transposed;     /* kernel 4, stride 2, padding 1 only */
  const atl_conv_t *then; /* transposed only: a 1x1 convolution of (height,width) applied to each pixel before it is
                             written, so that the wide picture is never stored; or NULL. Borrowed */
  bool has_relu;
  bool accumulates;      /* the result is added to what y holds */
  atl_dtype_t dtype;     /* ATL_F32 or ATL_BF16 */
  atl_backend_t backend; /* one without its own convolutions gathers windows for its linear layers */
} atl_conv_spec_t;

/* INPUT if the picture is smaller than the window; UNSUPPORTED if the backend is not available or the transposed
 * convolution is not 4x4 with stride 2 and padding 1; MEMORY. Caller owns; borrows spec->then. */
atl_status_t atl_conv_new(const atl_conv_spec_t *spec, atl_conv_t **conv);
void atl_conv_destroy(atl_conv_t **conv);
/* y may not be x. The object owns scratch, so it takes one call at a time. OpenMP inside. */
void atl_conv_apply(const atl_conv_t *conv, float *y, const float *x, int64_t n_images);

/* Size of y. */
int32_t atl_conv_out_height(const atl_conv_t *conv);
int32_t atl_conv_out_width(const atl_conv_t *conv);
int32_t atl_conv_n_results(const atl_conv_t *conv); /* channels */
size_t atl_conv_bytes(const atl_conv_t *conv);      /* bytes allocated: packed weights and scratch */

#endif
