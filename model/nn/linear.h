/* Linear layer: y(n,O) = act(x(n,I) . W(O,I)^T + b(O)), over the packed weights of model/kernels/linear.
 *
 * Inference: `init` without gradients packs the weights, which may be views into the mapped file, and keeps no fp32
 * copy. forward with `saved` NULL is one kernel call that fuses bias, activation, scale and residual.
 *
 *     atl_nn_linear_t up;
 *     ATL_TRY(atl_nn_linear_init(&up, &(atl_linear_spec_t){.weight = w, .n_out = O, .n_in = I}, NULL));
 *     atl_nn_linear_forward(&up, y, x, n, NULL);
 *     atl_nn_linear_clear(&up);
 *
 * Training: the caller owns the fp32 parameters and a gradient of each; both outlive the layer. `init` packs W and its
 * transpose, which backward reads for dX. The activation is a separate pass, because its backward needs z, its input.
 * forward with `saved` gives the same bits as without. After an optimizer has changed the parameters, call `repack`.
 *
 *     const atl_nn_linear_gradient_t gradient = {.weight = dw, .bias = db};
 *     atl_nn_linear_saved_t saved = {.z = z, .n_samples = B};
 *     ATL_TRY(atl_nn_linear_init(&up, &spec, &gradient));
 *     atl_nn_linear_forward(&up, y, x, n, &saved);
 *     atl_nn_linear_backward(&up, dx, dy, &saved);
 *     ATL_TRY(atl_nn_linear_repack(&up));               -- after the optimizer's step
 *
 * Gradients are summed in a fixed order, whatever the number of threads and the tile sizes. The rows of a sample are
 * added in order into one fp32 sum. The samples' sums are added pairwise in a binary tree over the sample index
 * (kernels/linear/gradient.h), and the root is added to the gradient. A call over an aligned block of 2^k samples
 * therefore adds exactly one node of the batch's tree: a trainer that splits a batch into such blocks gives each block
 * its own gradients and adds them in the same tree. dX is computed row by row and involves no sum over rows.
 */
#ifndef ATL_MODEL_NN_LINEAR_H
#define ATL_MODEL_NN_LINEAR_H

#include "model/kernels/linear/linear.h"

typedef struct {
  float *weight; /* (O,I) */
  float *bias;   /* (O); NULL when the layer has no bias */
} atl_nn_linear_gradient_t;

/* What backward needs from one forward. The caller sets z and n_samples, forward sets x and n. */
typedef struct {
  float *z; /* (n,O), the activation's input: the caller's memory, overwritten by backward; unused without activation */
  int64_t n_samples; /* the n rows are n_samples samples of n / n_samples consecutive rows each */
  const float *x;    /* (n,I); the caller keeps the rows until backward */
  int64_t n;
} atl_nn_linear_saved_t;

typedef struct {
  int64_t n_in, n_out;
  atl_activation_t activation;
  atl_linear_t *packed;     /* W, read by forward */
  atl_linear_t *transposed; /* W^T, read by backward; this and all fields below are NULL in inference */
  const float *weight, *bias;
  atl_nn_linear_gradient_t gradient;
} atl_nn_linear_t;

/* With `gradient` NULL the layer is for inference, and the weights are borrowed during the call only. `layer` is zero
 * or cleared. UNSUPPORTED as atl_linear_new, and for training with a library's backend; MEMORY. Caller clears, also
 * after a failure. */
atl_status_t atl_nn_linear_init(atl_nn_linear_t *layer, const atl_linear_spec_t *spec,
                                const atl_nn_linear_gradient_t *gradient);
void atl_nn_linear_clear(atl_nn_linear_t *layer);

/* y(n,O), or y(n,O/2) with GEGLU, <- x(n,I). */
void atl_nn_linear_forward(const atl_nn_linear_t *layer, float *y, const float *x, int64_t n,
                           atl_nn_linear_saved_t *saved);
/* y = residual + scale * layer(x), with rows of y ldy apart and rows of x ldx apart. With `saved`, x must be contiguous
 * and the layer must have no activation. */
void atl_nn_linear_forward_into(const atl_nn_linear_t *layer, float *y, int64_t ldy, const float *x, int64_t ldx,
                                int64_t n, const atl_epilogue_t *epilogue, atl_nn_linear_saved_t *saved);

/* dx(n,I) <- the gradient of the input, unless dx is NULL. Adds the gradients of W and b to the caller's. dy(n,O), or
 * dy(n,O/2) with GEGLU, is the gradient of forward's y before scale and residual. */
void atl_nn_linear_backward(const atl_nn_linear_t *layer, float *dx, const float *dy, atl_nn_linear_saved_t *saved);
/* Packs the changed parameters, in the memory of the first packing. Holds a transposed fp32 copy during the call.
 * MEMORY. */
atl_status_t atl_nn_linear_repack(atl_nn_linear_t *layer);

#endif
