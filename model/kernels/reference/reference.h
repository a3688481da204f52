/* Reference: the slow plain twin of every optimised kernel, one loop nest a formula. Tests compare the two.
 *
 * Nothing here may be optimised, reordered or shared with the kernels it checks: the order of each sum, the operation
 * that adds a product (fmaf) and the precision of each step are what the kernels must agree with, bit for bit where the
 * comment says so. Change one only when the formula was wrong, and say so in CHANGELOG.md. A new kernel brings its twin;
 * the twin of a backward pass stands beside that of its forward pass. */
#ifndef ATL_MODEL_KERNELS_REFERENCE_REFERENCE_H
#define ATL_MODEL_KERNELS_REFERENCE_REFERENCE_H

#include "model/kernels/conv/conv.h"
#include "model/kernels/linear/gradient.h"
#include "model/kernels/linear/linear.h"

/* What atl_linear_apply gives with an own fp32 kernel, bit for bit: each sum is one chain of fused multiply-adds in
 * order of i from 0, then bias, activation, scale, residual. BF16: the same chain over weights and x rounded to bf16.
 */
void atl_reference_linear(const atl_linear_spec_t *spec, float *y, int64_t ldy, const float *x, int64_t ldx,
                          int64_t n_rows, const atl_epilogue_t *epilogue);

/* y(H',W',O) <- act([y +] conv(x(H,W,I)) + b) of one picture, sums in double; BF16: of weights and x rounded to
 * bf16. The scale of its rounding apart, what atl_conv_apply gives with any backend. */
void atl_reference_conv(const atl_conv_spec_t *spec, float *y, const float *x);

/* What atl_linear_add_weight_gradient and atl_linear_add_bias_gradient add, bit for bit; db may be NULL. */
void atl_reference_linear_gradient(const atl_linear_gradient_t *gradient, float *dw, float *db);

/* dx(n,I) <- dz(n,O) . W(O,I), bit for bit what a trained linear layer gives with an own kernel in fp32: one chain of fused
 * multiply-adds in order of o. BF16: the same chain over dz and W rounded to bf16. */
void atl_reference_linear_input_gradient(const atl_linear_spec_t *spec, float *dx, const float *dz, int64_t n_rows);

#endif
