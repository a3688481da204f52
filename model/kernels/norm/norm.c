/* LayerNorm in three passes over a row in cache: mean, variance about the mean, result. Summing x and x^2 together
 * would save a pass but lose the variance of rows far from zero. */
#include "model/kernels/norm/norm.h"

#include <math.h>

#include "model/kernels/lanes.h"

enum { MIN_PARALLEL_ITEMS = 1 << 15 }; /* below this, a parallel region costs more than it saves */

ATL_LANES_CLONES static float sum_row(const float *x, int64_t width) {
  atl_lanes_t sum = {0};
  int64_t i = 0;
  for (; i + ATL_LANES <= width; i += ATL_LANES) sum += lanes_load(x + i);
  if (i < width) sum += lanes_load_tail(x + i, width - i, 0);
  return lanes_sum(sum);
}

/* sum of (x - mean)^2 */
ATL_LANES_CLONES static float sum_squares(const float *x, float mean, int64_t width) {
  atl_lanes_t sum = {0};
  int64_t i = 0;
  for (; i + ATL_LANES <= width; i += ATL_LANES) {
    atl_lanes_t d = lanes_load(x + i) - mean;
    sum += d * d;
  }
  if (i < width) {
    atl_lanes_t d = lanes_load_tail(x + i, width - i, mean) - mean;
    sum += d * d;
  }
  return lanes_sum(sum);
}

ATL_LANES_CLONES static void scale_row(float *y, const float *x, float mean, float scale, const float *weight,
                                       const float *bias, int64_t width) {
  int64_t i = 0;
  for (; i + ATL_LANES <= width; i += ATL_LANES)
    lanes_store(y + i, (lanes_load(x + i) - mean) * scale * lanes_load(weight + i) + lanes_load(bias + i));
  for (; i < width; i++) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

void atl_norm_layer(float *y, const float *x, const float *weight, const float *bias, int64_t n_rows, int64_t width) {
#pragma omp parallel for if (n_rows * width >= MIN_PARALLEL_ITEMS)
  for (int64_t i_row = 0; i_row < n_rows; i_row++) {
    const float *row = x + i_row * width;
    float mean = sum_row(row, width) / (float)width;
    float variance = sum_squares(row, mean, width) / (float)width;
    scale_row(y + i_row * width, row, mean, 1.0f / sqrtf(variance + 1e-5f), weight, bias, width);
  }
}

void atl_norm_unit(float *y, const float *x, int64_t n_rows, int64_t width) {
  for (int64_t i_row = 0; i_row < n_rows; i_row++) {
    const float *row = x + i_row * width;
    float length = sqrtf(sum_squares(row, 0, width));
    for (int64_t i = 0; i < width; i++) y[i_row * width + i] = row[i] / length;
  }
}
