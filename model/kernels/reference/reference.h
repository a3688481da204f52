/* Reference: the slow plain twin of every optimised kernel, one loop nest per formula. Tests compare the two. All
 * functions are local and allocate nothing.
 *
 * Nothing here may be optimised, reordered or shared with the kernels it checks: the kernels must agree with the order
 * of each sum, the operation that adds a product (fmaf) and the precision of each step, bit for bit where a comment
 * says so. Change a twin only when its formula was wrong, and say so in CHANGELOG.md. A new kernel comes with its twin;
 * the twin of a backward pass stands beside that of its forward pass. */
#ifndef ATL_MODEL_KERNELS_REFERENCE_REFERENCE_H
#define ATL_MODEL_KERNELS_REFERENCE_REFERENCE_H

#include "model/kernels/conv/conv.h"
#include "model/kernels/linear/gradient.h"
#include "model/kernels/linear/linear.h"

/* The result of atl_linear_apply with an own fp32 kernel: each sum is one chain of fused multiply-adds in order of i
 * from 0, then bias, activation, scale and residual are applied. Without activation or with RELU the bits are equal;
 * gelu here uses erff. BF16: the same chain over weights and x rounded to bf16. */
void atl_reference_linear(const atl_linear_spec_t *spec, float *y, int64_t ldy, const float *x, int64_t ldx,
                          int64_t n_rows, const atl_epilogue_t *epilogue);

/* y(H',W',O) <- act([y +] conv(x(H,W,I)) + b) of one picture, with sums in double, of at most 1024 channels; BF16:
 * weights and x rounded to bf16. The result of atl_conv_apply with any backend, up to rounding. */
void atl_reference_conv(const atl_conv_spec_t *spec, float *y, const float *x);

/* Adds to dw and db what atl_linear_add_weight_gradient and atl_linear_add_bias_gradient add, bit for bit; db may be
 * NULL. */
void atl_reference_linear_gradient(const atl_linear_gradient_t *gradient, float *dw, float *db);

/* dx(n,I) <- dz(n,O) . W(O,I), bit for bit the result of a trained linear layer with an own kernel in fp32: one chain
 * of fused multiply-adds in order of o. BF16: the same chain over dz and W rounded to bf16. */
void atl_reference_linear_input_gradient(const atl_linear_spec_t *spec, float *dx, const float *dz, int64_t n_rows);

#endif
