/* gelu(x) = x Phi(x) has the derivative Phi(x) + x phi(x), with Phi(x) = (1 + erf(x / sqrt 2)) / 2 and phi(x) =
 * e^(-x^2/2) / sqrt(2 pi). quick_gelu(x) = x s, s = 1 / (1 + e^(-1.702 x)), has s + 1.702 x s (1 - s). */
#include "model/nn/activation.h"

#include <math.h>
#include <string.h>

#include "model/kernels/activation/activation.h"

void atl_nn_activation_forward(atl_activation_t kind, float *y, const float *z, int64_t n, int64_t width) {
  if (kind == ATL_ACTIVATION_NONE) {
    memcpy(y, z, (size_t)(n * width) * sizeof *y);
    return;
  }
  if (kind != ATL_ACTIVATION_GEGLU) {
    atl_activation_apply(y, z, n * width, kind);
    return;
  }
  int64_t half = width / 2;
#pragma omp parallel for
  for (int64_t i_row = 0; i_row < n; i_row++) {
    const float *value = z + i_row * width, *gate = value + half;
    float *y_row = y + i_row * half;
    atl_activation_apply(y_row, gate, half, ATL_ACTIVATION_GELU);
    for (int64_t i = 0; i < half; i++) y_row[i] *= value[i];
  }
}

static float normal_cdf(float x) { return 0.5F * (1 + erff(x * 0.707106781F)); }
static float gelu_slope(float x) { return normal_cdf(x) + x * expf(-0.5F * x * x) * 0.398942280F; }

static float slope(atl_activation_t kind, float x) {
  float s;
  switch (kind) {
  case ATL_ACTIVATION_RELU: return x > 0 ? 1 : 0;
  case ATL_ACTIVATION_GELU: return gelu_slope(x);
  case ATL_ACTIVATION_QUICK_GELU: s = 1 / (1 + expf(-1.702F * x)); return s + 1.702F * x * s * (1 - s);
  default: return 1;
  }
}

void atl_nn_activation_backward(atl_activation_t kind, float *dz, const float *dy, const float *z, int64_t n,
                                int64_t width) {
  bool is_geglu = kind == ATL_ACTIVATION_GEGLU;
  int64_t n_results = is_geglu ? width / 2 : width;
#pragma omp parallel for
  for (int64_t i_row = 0; i_row < n; i_row++) {
    const float *z_row = z + i_row * width, *dy_row = dy + i_row * n_results;
    float *dz_row = dz + i_row * width;
    for (int64_t i = 0; i < n_results; i++) {
      if (!is_geglu) {
        dz_row[i] = dy_row[i] * slope(kind, z_row[i]);
        continue;
      }
      float value = z_row[i], gate = z_row[n_results + i];
      dz_row[i] = dy_row[i] * gate * normal_cdf(gate);
      dz_row[n_results + i] = dy_row[i] * value * gelu_slope(gate);
    }
  }
}
