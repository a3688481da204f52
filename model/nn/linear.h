/* Linear layer: y(n,O) = act(x(n,I) . W(O,I)^T + b(O)), over the packed weights of model/kernels/linear.
 *
 * Inference: `init` without gradients packs the weights, which may be views into the mapped file, and keeps no fp32 copy.
 * forward with saved NULL is one kernel call that ends in the fused bias, activation, scale and residual.
 *
 *     atl_nn_linear_t up;
 *     ATL_TRY(atl_nn_linear_init(&up, &(atl_linear_spec_t){.weight = w, .n_out = O, .n_in = I}, NULL));
 *     atl_nn_linear_forward(&up, y, x, n, NULL);
 *     atl_nn_linear_clear(&up);
 *
 * Training: the caller owns the fp32 parameters and a gradient beside each, and both outlive the layer. W and its
 * transpose, which dX reads, are packed; the activation is a pass of its own, because its backward needs z, the value
 * before it. forward with saved gives the same bits as without. Once an optimizer has changed the parameters, `repack`.
 *
 *     const atl_nn_linear_gradient_t gradient = {.weight = dw, .bias = db};
 *     atl_nn_linear_saved_t saved = {.z = z, .n_samples = B};
 *     ATL_TRY(atl_nn_linear_init(&up, &spec, &gradient));
 *     atl_nn_linear_forward(&up, y, x, n, &saved);
 *     atl_nn_linear_backward(&up, dx, dy, &saved);
 *     ATL_TRY(atl_nn_linear_repack(&up));               -- after the optimizer's step
 *
 * Order of the gradients' sums, which depends on neither threads nor tiles: the rows of a sample are added in order into
 * one fp32 sum, then the samples' sums pairwise in a binary tree over the sample's index (kernels/linear/gradient.h), and
 * the root is added to what the gradient holds. A call over an aligned block of 2^k samples therefore adds exactly one
 * node of the batch's tree; a trainer that cuts a batch into such blocks gives each its own gradients and joins those in
 * the same tree. dX is computed row by row, so it depends on neither.
 */
#ifndef ATL_MODEL_NN_LINEAR_H
#define ATL_MODEL_NN_LINEAR_H

#include "model/kernels/linear/linear.h"

typedef struct {
  float *weight; /* (O,I) */
  float *bias;   /* (O); NULL when the layer has no bias */
} atl_nn_linear_gradient_t;

/* What backward needs of one forward. */
typedef struct {
  float *z; /* (n,O) before the activation: memory of the caller, spent by backward; unused without activation */
  int64_t n_samples; /* the caller's: n rows are n_samples times n / n_samples consecutive rows of one sample */
  const float *x;    /* (n,I): noted by forward; the caller keeps the rows until backward */
  int64_t n;         /* rows: noted by forward */
} atl_nn_linear_saved_t;

typedef struct {
  int64_t n_in, n_out;
  atl_activation_t activation;
  atl_linear_t *packed;     /* W, what forward reads */
  atl_linear_t *transposed; /* W^T, what backward reads; NULL in inference, and so is all that follows */
  const float *weight, *bias;
  atl_nn_linear_gradient_t gradient;
} atl_nn_linear_t;

/* `gradient` NULL: for inference; the weights are read during the call only. UNSUPPORTED as atl_linear_new, and for
 * training with a library's backend; MEMORY. `layer` is zero or cleared before; clear, also after a failure. */
atl_status_t atl_nn_linear_init(atl_nn_linear_t *layer, const atl_linear_spec_t *spec,
                                const atl_nn_linear_gradient_t *gradient);
void atl_nn_linear_clear(atl_nn_linear_t *layer);

/* y(n,O), or y(n,O/2) with GEGLU, <- x(n,I). */
void atl_nn_linear_forward(const atl_nn_linear_t *layer, float *y, const float *x, int64_t n,
                           atl_nn_linear_saved_t *saved);
/* The same into rows ldy apart from rows ldx apart, then scale and residual: y = residual + scale * layer(x). With saved,
 * x is contiguous and the layer has no activation. */
void atl_nn_linear_forward_into(const atl_nn_linear_t *layer, float *y, int64_t ldy, const float *x, int64_t ldx,
                                int64_t n, const atl_epilogue_t *epilogue, atl_nn_linear_saved_t *saved);

/* dx(n,I) <- the gradient of the input, unless dx is NULL; adds the gradients of W and b to the caller's. dy(n,O), or
 * dy(n,O/2) with GEGLU, is the gradient of what forward gave, before scale and residual. */
void atl_nn_linear_backward(const atl_nn_linear_t *layer, float *dx, const float *dy, atl_nn_linear_saved_t *saved);
/* Packs the parameters again. MEMORY: a transposed fp32 copy is held during the call. */
atl_status_t atl_nn_linear_repack(atl_nn_linear_t *layer);

#endif
