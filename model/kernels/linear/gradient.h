/* Gradient of a linear layer's weights and bias: sums over rows, in an order that depends only on the samples.
 *
 *     dW(O,I) += sum over rows of dy(row,O) x(row,I)        db(O) += sum over rows of dy(row,O)
 *
 * The rows of one sample are added in order into one fp32 sum, each product rounded before it is added. The samples'
 * sums are then added pairwise: tree(n) = tree(p) + tree(n - p), where p is the largest power of two below n. Neither
 * the number of threads nor the tile size changes the order, and the sum of an aligned block of 2^k samples is a node
 * of the tree of any larger batch. The bits are the same on every CPU. */
#ifndef ATL_MODEL_KERNELS_LINEAR_GRADIENT_H
#define ATL_MODEL_KERNELS_LINEAR_GRADIENT_H

#include <stdint.h>

typedef struct {
  const float *dy; /* (n_samples*sample_rows,O) */
  const float *x;  /* (n_samples*sample_rows,I) */
  int64_t n_samples, sample_rows;
  int64_t n_out, n_in; /* O, I */
} atl_linear_gradient_t;

/* Add to dw(O,I) and db(O). Local; allocate nothing. OpenMP inside. */
void atl_linear_add_weight_gradient(const atl_linear_gradient_t *gradient, float *dw);
void atl_linear_add_bias_gradient(const atl_linear_gradient_t *gradient, float *db);

#endif
