#include "model/kernels/reference.h"

#include <math.h>

static float round_to(float value, atl_dtype_t dtype) {
  return dtype == ATL_BF16 ? atl_f32_from_bf16(atl_bf16_from_f32(value)) : value;
}

static float dot(const float *x, const float *w, int64_t n, atl_dtype_t dtype) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum = fmaf(round_to(x[i], dtype), round_to(w[i], dtype), sum);
  return sum;
}

static float gelu(float x) { return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F)); }

static float activate(float x, atl_activation_t activation) {
  switch (activation) {
  case ATL_ACTIVATION_RELU: return x > 0 ? x : 0;
  case ATL_ACTIVATION_GELU: return gelu(x);
  case ATL_ACTIVATION_QUICK_GELU: return x / (1.0F + expf(-1.702F * x));
  default: return x;
  }
}

void atl_reference_linear(const atl_linear_spec_t *spec, float *y, int64_t ldy, const float *x, int64_t ldx,
                          int64_t n_rows, const atl_epilogue_t *epilogue) {
  bool is_geglu = spec->activation == ATL_ACTIVATION_GEGLU;
  int64_t n_results = is_geglu ? spec->n_out / 2 : spec->n_out;
  for (int64_t n = 0; n < n_rows; n++)
    for (int64_t o = 0; o < n_results; o++) {
      float value = dot(x + n * ldx, spec->weight + o * spec->n_in, spec->n_in, spec->dtype);
      value += spec->bias != NULL ? spec->bias[o] : 0;
      if (is_geglu) {
        float gate = dot(x + n * ldx, spec->weight + (n_results + o) * spec->n_in, spec->n_in, spec->dtype);
        value *= gelu(gate + (spec->bias != NULL ? spec->bias[n_results + o] : 0));
      } else {
        value = activate(value, spec->activation);
      }
      if (epilogue != NULL && epilogue->scale != NULL) value *= epilogue->scale[o];
      if (epilogue != NULL && epilogue->residual != NULL) value += epilogue->residual[n * epilogue->ld_residual + o];
      y[n * ldy + o] = value;
    }
}
