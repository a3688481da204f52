/* Activation: the functions between linear layers, the softmax of attention, and argmax, on rows of any length.
 *
 * Everything is computed in 16 lanes with separate multiplications and additions, so an element's result has the same
 * bits on every CPU, at any position in a row, and alone or among others. All functions are local and allocate nothing.
 *
 *     atl_activation_apply(y, x, n, ATL_ACTIVATION_GELU);       -- y may be x
 *     atl_activation_softmax(scores, n);
 */
#ifndef ATL_MODEL_KERNELS_ACTIVATION_ACTIVATION_H
#define ATL_MODEL_KERNELS_ACTIVATION_ACTIVATION_H

#include <stdint.h>

typedef enum {
  ATL_ACTIVATION_NONE,
  ATL_ACTIVATION_RELU,
  ATL_ACTIVATION_GELU,       /* x/2 (1 + erf(x/sqrt 2)) */
  ATL_ACTIVATION_QUICK_GELU, /* x sigmoid(1.702 x) */
  ATL_ACTIVATION_GEGLU       /* W's rows are [value (O/2) | gate (O/2)]; y(N,O/2) = value gelu(gate) */
} atl_activation_t;

/* y(n) <- kind(x(n)); y may be x. Any kind but GEGLU, which combines two rows. */
void atl_activation_apply(float *y, const float *x, int64_t n, atl_activation_t kind);
/* The first half of each row of x(n_rows,2 n), rows ldx apart, <- itself times gelu of the second half. */
void atl_activation_geglu(float *x, int64_t ldx, int64_t n_rows, int64_t n);
/* x(n) <- e^(x - max x) / sum, in place. The sum runs in 16 fixed lanes. */
void atl_activation_softmax(float *x, int64_t n);
/* Index of the largest element of x(n), the lowest among equals. NaN is never the largest; 0 if all are NaN or
 * -infinity. */
int64_t atl_activation_argmax(const float *x, int64_t n);

#endif
