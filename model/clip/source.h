/* Source: the parts of CLIP read and pack their weights with it. Each part owns its packed weights and scratch and
 * borrows the file. */
#ifndef ATL_MODEL_CLIP_SOURCE_H
#define ATL_MODEL_CLIP_SOURCE_H

#include "model/clip/tensors.h"
#include "model/nn/linear.h"

typedef struct {
  const atl_weights_t *weights;
  const atl_clip_tensors_t *tensors; /* what `weights` binds */
  atl_dtype_t dtype;                 /* what linear layers and convolutions multiply in: ATL_F32 or ATL_BF16 */
} atl_clip_source_t;

/* A linear layer of weight (n_out,n_in) and bias (n_out). INPUT as atl_weights_bind. Caller clears, also after a
 * failure. */
atl_status_t atl_clip_read_linear(const atl_clip_source_t *source, const atl_clip_pair_t *tensors, int64_t n_out,
                                  int64_t n_in, atl_activation_t activation, atl_nn_linear_t *linear);
/* A projection used as x . P with P(n_in,n_out): the linear layer of P transposed. Caller clears,
 * also after a failure. */
atl_status_t atl_clip_read_projection(const atl_clip_source_t *source, const atl_parameter_t *tensor, int64_t n_in,
                                      int64_t n_out, atl_nn_linear_t *linear);

#endif
