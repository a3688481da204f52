#include "model/kernels/reference/reference.h"

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

/* Adds to out(O), the sums of an output pixel, what input pixel in(I) contributes through weight (ky,kx). */
static void add_tap(const atl_conv_spec_t *s, double *out, const float *in, int32_t ky, int32_t kx) {
  int64_t k = s->kernel;
  for (int64_t o = 0; o < s->n_out; o++)
    for (int64_t i = 0; i < s->n_in; i++) {
      int64_t row = s->is_transposed ? i * s->n_out + o : o * s->n_in + i;
      out[o] += (double)round_to(in[i], s->dtype) * (double)round_to(s->weight[(row * k + ky) * k + kx], s->dtype);
    }
}

/* Input coordinate that output coordinate `out` reads through kernel coordinate `k`; -1 when there is none. */
static int32_t input_at(const atl_conv_spec_t *s, int32_t out, int32_t k, int32_t size) {
  int32_t in = s->is_transposed ? out + s->padding - k : out * s->stride - s->padding + k;
  if (s->is_transposed && (in < 0 || in % s->stride != 0)) return -1;
  if (s->is_transposed) in /= s->stride;
  return in >= 0 && in < size ? in : -1;
}

static void conv_pixel(const atl_conv_spec_t *s, double *sums, const float *x, int32_t oy, int32_t ox) {
  for (int32_t ky = 0; ky < s->kernel; ky++)
    for (int32_t kx = 0; kx < s->kernel; kx++) {
      int32_t iy = input_at(s, oy, ky, s->height), ix = input_at(s, ox, kx, s->width);
      if (iy >= 0 && ix >= 0) add_tap(s, sums, x + ((int64_t)iy * s->width + ix) * s->n_in, ky, kx);
    }
}

static int32_t conv_out_size(const atl_conv_spec_t *s, int32_t size) {
  if (s->is_transposed) return (size - 1) * s->stride - 2 * s->padding + s->kernel;
  return (size + 2 * s->padding - s->kernel) / s->stride + 1;
}

void atl_reference_conv(const atl_conv_spec_t *spec, float *y, const float *x) {
  int32_t height = conv_out_size(spec, spec->height), width = conv_out_size(spec, spec->width);
  for (int32_t oy = 0; oy < height; oy++)
    for (int32_t ox = 0; ox < width; ox++) {
      float *out = y + ((int64_t)oy * width + ox) * spec->n_out;
      double sums[1024] = {0};
      ATL_ASSERT(spec->n_out <= 1024);
      conv_pixel(spec, sums, x, oy, ox);
      for (int32_t o = 0; o < spec->n_out; o++) {
        double value = sums[o] + (spec->bias ? (double)spec->bias[o] : 0) + (spec->accumulates ? (double)out[o] : 0);
        out[o] = (float)(spec->has_relu && value < 0 ? 0 : value);
      }
    }
}

/* ---- backward ---- */

/* dW(o,i) over the rows of samples [first, first + n): tree(n) = tree(p) + tree(n - p), where p is the largest power of
 * two below n. x NULL stands for an input of 1: the bias. */
static float tree(const atl_linear_gradient_t *d, int64_t o, int64_t i, int64_t first, int64_t n) {
  float sum = 0;
  int64_t p = 1;
  if (n == 1) {
    for (int64_t r = first * d->sample_rows; r < (first + 1) * d->sample_rows; r++)
      sum += d->dy[r * d->n_out + o] * (d->x == NULL ? 1 : d->x[r * d->n_in + i]);
    return sum;
  }
  while (2 * p < n) p *= 2;
  return tree(d, o, i, first, p) + tree(d, o, i, first + p, n - p);
}

void atl_reference_linear_gradient(const atl_linear_gradient_t *gradient, float *dw, float *db) {
  atl_linear_gradient_t bias = *gradient;
  bias.x = NULL;
  for (int64_t o = 0; o < gradient->n_out; o++) {
    for (int64_t i = 0; i < gradient->n_in; i++)
      dw[o * gradient->n_in + i] += tree(gradient, o, i, 0, gradient->n_samples);
    if (db != NULL) db[o] += tree(&bias, o, 0, 0, gradient->n_samples);
  }
}

void atl_reference_linear_input_gradient(const atl_linear_spec_t *spec, float *dx, const float *dz, int64_t n_rows) {
  for (int64_t n = 0; n < n_rows; n++)
    for (int64_t i = 0; i < spec->n_in; i++) {
      float sum = 0;
      for (int64_t o = 0; o < spec->n_out; o++)
        sum = fmaf(round_to(dz[n * spec->n_out + o], spec->dtype),
                   round_to(spec->weight[o * spec->n_in + i], spec->dtype), sum);
      dx[n * spec->n_in + i] = sum;
    }
}
