/* Linear cases: the checks that every backend of linear layers must pass. Results are compared with the plain twin and
 * with double precision, and, for backends with independent rows (model/kernels/backend), each row of a batch with the
 * same row alone. Shared by the tests of real and of emulated kernels. */
#ifndef ATL_TESTS_SUPPORT_LINEAR_CASES_H
#define ATL_TESTS_SUPPORT_LINEAR_CASES_H

#include <omp.h>
#include <stdlib.h>

#include "common/memory.h"
#include "model/kernels/cpu.h"
#include "model/kernels/linear/linear.h"
#include "model/kernels/reference/reference.h"
#include "tests/support/tap.h"

enum { MAX_ROWS = 130, LD_PAD = 5 };

typedef struct {
  int64_t n_out, n_in;
  atl_activation_t activation;
  bool has_bias, has_scale, has_residual;
} case_t;

static const case_t cases[] = {
    {1, 1, ATL_ACTIVATION_NONE, false, false, false},       {7, 8, ATL_ACTIVATION_RELU, true, false, false},
    {8, 7, ATL_ACTIVATION_GELU, true, true, false},         {33, 64, ATL_ACTIVATION_NONE, true, true, true},
    {64, 33, ATL_ACTIVATION_QUICK_GELU, true, false, true}, {100, 301, ATL_ACTIVATION_NONE, true, true, true},
    {2, 33, ATL_ACTIVATION_GEGLU, true, false, false},      {66, 100, ATL_ACTIVATION_GEGLU, true, false, true},
    {128, 257, ATL_ACTIVATION_GEGLU, false, true, true},    {96, 256, ATL_ACTIVATION_GELU, false, false, true},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static const int64_t row_counts[] = {1, 7, 8, 33, 64, 100, 130};
enum { N_ROW_COUNTS = sizeof row_counts / sizeof row_counts[0] };

/* One layer with random weights, inputs and residuals, and buffers for MAX_ROWS rows. */
typedef struct {
  case_t what;
  int64_t n_results, ldx, ldy;
  float *weight, *bias, *scale, *x, *residual, *got, *want;
} layer_t;

/* Fills x with pseudo-random values in [-1, 1) from a linear congruential generator. */
static void fill(float *x, int64_t n, uint32_t seed) {
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525U + 1013904223U;
    x[i] = (float)(int32_t)seed / 2147483648.0F;
  }
}

static atl_status_t layer_init(layer_t *l, const case_t *what) {
  *l = (layer_t){.what = *what};
  l->n_results = what->activation == ATL_ACTIVATION_GEGLU ? what->n_out / 2 : what->n_out;
  l->ldx = what->n_in + LD_PAD;
  l->ldy = l->n_results + LD_PAD;
  ATL_TRY(ATL_NEW(what->n_out * what->n_in, &l->weight));
  ATL_TRY(ATL_NEW(what->n_out, &l->bias));
  ATL_TRY(ATL_NEW(what->n_out, &l->scale));
  ATL_TRY(ATL_NEW(MAX_ROWS * l->ldx, &l->x));
  ATL_TRY(ATL_NEW(MAX_ROWS * l->ldy, &l->residual));
  ATL_TRY(ATL_NEW(MAX_ROWS * l->ldy, &l->got));
  ATL_TRY(ATL_NEW(MAX_ROWS * l->ldy, &l->want));
  fill(l->weight, what->n_out * what->n_in, 1);
  fill(l->bias, what->n_out, 2);
  fill(l->scale, what->n_out, 3);
  fill(l->x, MAX_ROWS * l->ldx, 4);
  fill(l->residual, MAX_ROWS * l->ldy, 5);
  return ATL_OK;
}

static void layer_clear(layer_t *l) {
  ATL_DESTROY(&l->weight);
  ATL_DESTROY(&l->bias);
  ATL_DESTROY(&l->scale);
  ATL_DESTROY(&l->x);
  ATL_DESTROY(&l->residual);
  ATL_DESTROY(&l->got);
  ATL_DESTROY(&l->want);
}

static atl_linear_spec_t spec_of(const layer_t *l, atl_dtype_t dtype, atl_backend_t backend) {
  return (atl_linear_spec_t){.weight = l->weight,
                             .bias = l->what.has_bias ? l->bias : NULL,
                             .n_out = l->what.n_out,
                             .n_in = l->what.n_in,
                             .dtype = dtype,
                             .backend = backend,
                             .activation = l->what.activation};
}

/* y <- layer(rows [first, first + n) of the case). The residual, if any, is copied into y first and added in place. */
static void apply(const layer_t *l, const atl_linear_t *linear, float *y, int64_t first, int64_t n) {
  atl_epilogue_t epilogue = {.scale = l->what.has_scale ? l->scale : NULL};
  if (l->what.has_residual) {
    memcpy(y, l->residual + first * l->ldy, (size_t)(n * l->ldy) * sizeof *y);
    epilogue.residual = y;
    epilogue.ld_residual = l->ldy;
  }
  atl_linear_apply(linear, y, l->ldy, l->x + first * l->ldx, l->ldx, n, &epilogue);
}

static void apply_reference(const layer_t *l, atl_dtype_t dtype, int64_t n) {
  atl_linear_spec_t spec = spec_of(l, dtype, ATL_BACKEND_PLAIN);
  atl_epilogue_t epilogue = {.scale = l->what.has_scale ? l->scale : NULL};
  if (l->what.has_residual) {
    epilogue.residual = l->residual;
    epilogue.ld_residual = l->ldy;
  }
  atl_reference_linear(&spec, l->want, l->ldy, l->x, l->ldx, n, &epilogue);
}

static double exact_dot(const layer_t *l, atl_dtype_t dtype, int64_t row, int64_t out) {
  double sum = l->what.has_bias ? (double)l->bias[out] : 0;
  for (int64_t i = 0; i < l->what.n_in; i++) {
    float x = l->x[row * l->ldx + i], w = l->weight[out * l->what.n_in + i];
    if (dtype == ATL_BF16) {
      x = atl_f32_from_bf16(atl_bf16_from_f32(x));
      w = atl_f32_from_bf16(atl_bf16_from_f32(w));
    }
    sum += (double)x * (double)w;
  }
  return sum;
}

static double exact_gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }

static double exact_result(const layer_t *l, atl_dtype_t dtype, int64_t row, int64_t out) {
  double value = exact_dot(l, dtype, row, out);
  switch (l->what.activation) {
  case ATL_ACTIVATION_NONE: break;
  case ATL_ACTIVATION_RELU: value = value > 0 ? value : 0; break;
  case ATL_ACTIVATION_GELU: value = exact_gelu(value); break;
  case ATL_ACTIVATION_QUICK_GELU: value = value / (1 + exp(-1.702 * value)); break;
  case ATL_ACTIVATION_GEGLU: value *= exact_gelu(exact_dot(l, dtype, row, l->n_results + out)); break;
  }
  if (l->what.has_scale) value *= (double)l->scale[out];
  if (l->what.has_residual) value += (double)l->residual[row * l->ldy + out];
  return value;
}

/* |x| and |w| are random and below 1, so partial sums of n products are about sqrt(n)/3, and each of the n roundings
 * adds an error of at most 2^-24 of that. GEGLU multiplies two such sums. */
static double tolerance_of(const layer_t *l) {
  double n = (double)l->what.n_in + 4, sum_error = 6e-8 * n * (1 + sqrt(n) / 3);
  return l->what.activation == ATL_ACTIVATION_GEGLU ? 2 * sqrt(n) * sum_error : sum_error;
}

/* Returns the largest difference from the double-precision result; NaN counts as larger than anything. */
static double worst_error(const layer_t *l, atl_dtype_t dtype, int64_t n_rows) {
  double worst = 0;
  for (int64_t m = 0; m < n_rows; m++)
    for (int64_t o = 0; o < l->n_results; o++) {
      double difference = fabs((double)l->got[m * l->ldy + o] - exact_result(l, dtype, m, o));
      if (!(difference <= worst)) worst = difference;
    }
  return worst;
}

static bool is_same(const layer_t *l, const float *a, const float *b, int64_t n_rows) {
  for (int64_t m = 0; m < n_rows; m++)
    if (memcmp(a + m * l->ldy, b + m * l->ldy, (size_t)l->n_results * sizeof *a) != 0) return false;
  return true;
}

/* Does the backend add the products of a dot product one by one in order, as the plain twin does? */
static bool is_sequential_sum(atl_backend_t backend, atl_dtype_t dtype) {
  return backend == ATL_BACKEND_PLAIN || backend == ATL_BACKEND_AVX2 ||
         (backend == ATL_BACKEND_AVX512 && dtype == ATL_F32);
}

static void test_values(const layer_t *l, const atl_linear_t *linear, atl_dtype_t dtype, atl_backend_t backend) {
  double worst = 0, tolerance = tolerance_of(l);
  bool is_exact = true, is_margin_kept = true;
  for (int i = 0; i < N_ROW_COUNTS; i++) {
    int64_t n = row_counts[i];
    fill(l->got, MAX_ROWS * l->ldy, 9);
    float margin = l->got[l->n_results];
    apply(l, linear, l->got, 0, n);
    if (!l->what.has_residual && l->got[l->n_results] != margin) is_margin_kept = false;
    double error = worst_error(l, dtype, n);
    if (!(error <= worst)) worst = error;
    if (!is_sequential_sum(backend, dtype)) continue;
    apply_reference(l, dtype, n);
    if (l->what.activation == ATL_ACTIVATION_NONE || l->what.activation == ATL_ACTIVATION_RELU)
      is_exact = is_exact && is_same(l, l->got, l->want, n);
  }
  if (!TAP_OK(worst <= tolerance, "results agree with double precision within the tolerance"))
    printf("# worst %g, tolerance %g\n", worst, tolerance);
  TAP_OK(is_exact, "kernels that sum in order match the plain twin bit for bit");
  TAP_OK(is_margin_kept, "nothing is written beyond the end of a row");
}

/* Compares each row of batches of 1..n_max rows, at every offset, with the same row alone, with one and with two
 * threads. */
static void test_rows(const layer_t *l, const atl_linear_t *linear, int64_t n_max) {
  bool is_same_everywhere = true;
  omp_set_num_threads(1);
  for (int64_t m = 0; m < n_max; m++) apply(l, linear, l->want + m * l->ldy, m, 1);
  for (int n_threads = 1; n_threads <= 2; n_threads++) {
    omp_set_num_threads(n_threads);
    for (int64_t first = 0; first < n_max; first += n_threads == 1 ? 1 : 7)
      for (int64_t n = 1; first + n <= n_max; n++) {
        apply(l, linear, l->got, first, n);
        if (!is_same(l, l->got, l->want + first * l->ldy, n)) is_same_everywhere = false;
      }
  }
  TAP_OK(is_same_everywhere, "a row's result does not depend on its batch, its place in it or the number of threads");
}

static void test_layer(const case_t *what, atl_dtype_t dtype, atl_backend_t backend, int64_t n_row_test) {
  layer_t layer;
  atl_linear_t *linear = NULL;
  printf("# %s %s: out %lld in %lld activation %d\n", atl_backend_name(backend), atl_dtype_name(dtype),
         (long long)what->n_out, (long long)what->n_in, (int)what->activation);
  atl_status_t status = layer_init(&layer, what);
  atl_linear_spec_t spec = spec_of(&layer, dtype, backend);
  if (status == ATL_OK) status = atl_linear_new(&spec, &linear);
  if (status == ATL_OK) {
    test_values(&layer, linear, dtype, backend);
    if (n_row_test > 0 && atl_backend_has_independent_rows(backend)) test_rows(&layer, linear, n_row_test);
  } else {
    TAP_STATUS(ATL_OK, status, "the layer is created");
  }
  atl_linear_destroy(&linear);
  layer_clear(&layer);
}

static inline void test_backend(atl_backend_t backend, atl_dtype_t dtype) {
  if (!atl_backend_is_available(backend, dtype)) {
    char reason[100];
    snprintf(reason, sizeof reason, "this processor or build has no %s for %s", atl_backend_name(backend),
             atl_dtype_name(dtype));
    TAP_SKIP(reason);
    return;
  }
  bool is_slow = backend == ATL_BACKEND_PLAIN;
  for (int i = 0; i < N_CASES; i++)
    test_layer(&cases[i], dtype, backend, i == 5 ? (is_slow ? 8 : 40) : i == 8 ? (is_slow ? 4 : 14) : 0);
}

#endif
