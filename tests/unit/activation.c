// TEST np=1
// Activations and norms against double arithmetic; the bits of an element must not depend on its position.
#include "model/kernels/activation/activation.h"
#include "model/kernels/lanes.h"
#include "model/kernels/norm/norm.h"
#include "tests/support/tap.h"

enum { N = 1003, MAX_WIDTH = 520 };

static void fill(float *x, int n, float from, float to) {
  for (int i = 0; i < n; i++) x[i] = from + (to - from) * (float)i / (float)(n - 1);
}

static double want_of(double x, atl_activation_t kind) {
  if (kind == ATL_ACTIVATION_GELU) return x / 2 * erfc(-x / sqrt(2));
  if (kind == ATL_ACTIVATION_QUICK_GELU) return x / (1 + exp(-1.702 * x));
  return kind == ATL_ACTIVATION_RELU && x < 0 ? 0 : x;
}

static void test_map(atl_activation_t kind, const char *name) {
  float x[N], y[N], want[N], alone[N];
  fill(x, N, -12, 12);
  for (int i = 0; i < N; i++) {
    want[i] = (float)want_of((double)x[i], kind);
    atl_activation_apply(alone + i, x + i, 1, kind);
  }
  atl_activation_apply(y, x, N, kind);
  TAP_CLOSE(y, want, N, 1e-6, name); /* a few ulp of values up to 12 */
  TAP_OK(memcmp(y, alone, sizeof y) == 0, "an element computed alone has the same bits");
  atl_activation_apply(x, x, N, kind);
  TAP_OK(memcmp(y, x, sizeof y) == 0, "the same bits in place");
}

/* y(n) <- e^x(n), with the lanes that softmax and the sampler use. */
static void apply_exp(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i += ATL_LANES) {
    int64_t rest = n - i < ATL_LANES ? n - i : ATL_LANES;
    lanes_store_tail(y + i, lanes_exp(lanes_load_tail(x + i, rest, 0)), rest);
  }
}

static void test_exp(void) {
  float x[N], y[N];
  double worst = 0;
  fill(x, N, -86.9f, 87.9f);
  apply_exp(y, x, N);
  for (int i = 0; i < N; i++) worst = fmax(worst, fabs((double)y[i] / exp((double)x[i]) - 1));
  TAP_OK(worst < 2e-7, "exp has a relative error below 2e-7");
  float edge[] = {-1e30f, -INFINITY, NAN, 1e30f, 0}, out[5];
  apply_exp(out, edge, 5);
  TAP_OK(out[0] == 0 && out[1] == 0 && isnan(out[2]) && out[3] > 1e38f && out[4] == 1,
         "exp of huge, infinite, NaN and zero arguments");
}

static void test_geglu(void) {
  enum { ROWS = 3, HALF = 37, LD = 80 };
  float x[ROWS * LD], y[ROWS * LD], gate[ROWS * LD];
  fill(x, ROWS * LD, -3, 3);
  memcpy(y, x, sizeof y);
  atl_activation_geglu(y, LD, ROWS, HALF);
  atl_activation_apply(gate, x, ROWS * LD, ATL_ACTIVATION_GELU);
  int n_same = 0;
  for (int i = 0; i < ROWS * LD; i++) n_same += y[i] == (i % LD < HALF ? x[i] * gate[i + HALF] : x[i]);
  TAP_OK(n_same == ROWS * LD, "geglu is value times gelu bit for bit, and writes nothing else");
}

static void test_softmax(int n) {
  float x[N], want[N], sum = 0;
  double total = 0;
  for (int i = 0; i < n; i++) x[i] = (float)(i * 7 % 13) - (i == 3 ? 1e30f : 0);
  for (int i = 0; i < n; i++) total += exp((double)x[i] - 12);
  for (int i = 0; i < n; i++) want[i] = (float)(exp((double)x[i] - 12) / total);
  atl_activation_softmax(x, n);
  for (int i = 0; i < n; i++) sum += x[i];
  TAP_CLOSE(x, want, n, 1e-6, "softmax");
  TAP_OK(fabsf(sum - 1) < 1e-5f, "softmax sums to one");
}

static void test_norm(int width) {
  static float x[3 * MAX_WIDTH], y[3 * MAX_WIDTH], weight[MAX_WIDTH], bias[MAX_WIDTH], want[3 * MAX_WIDTH];
  for (int i = 0; i < 3 * width; i++) x[i] = 100 + (float)(i * 37 % 101) / 10;
  for (int i = 0; i < width; i++) weight[i] = 1 + (float)i / 100, bias[i] = (float)i / 50;
  for (int r = 0; r < 3; r++) {
    double mean = 0, variance = 0;
    for (int i = 0; i < width; i++) mean += (double)x[r * width + i] / width;
    for (int i = 0; i < width; i++) variance += pow((double)x[r * width + i] - mean, 2) / width;
    for (int i = 0; i < width; i++)
      want[r * width + i] =
          (float)(((double)x[r * width + i] - mean) / sqrt(variance + 1e-5) * (double)weight[i] + (double)bias[i]);
  }
  atl_norm_layer(y, x, weight, bias, 3, width);
  TAP_CLOSE(y, want, 3 * width, 1e-4, "layer norm far from zero"); /* in fp32 the mean of 105 is exact to 1e-5 */
  float row[MAX_WIDTH];
  atl_norm_layer(row, x + width, weight, bias, 1, width);
  TAP_OK(memcmp(row, y + width, (size_t)width * sizeof *row) == 0, "a row computed alone has the same bits");
}

static void test_argmax(void) {
  float x[N];
  for (int i = 0; i < N; i++) x[i] = -(float)(i * 31 % 17) - 3;
  x[0] = NAN, x[400] = x[700] = x[1002] = -1;
  TAP_OK(atl_activation_argmax(x, N) == 400, "argmax returns the lowest index among equals");
  TAP_OK(atl_activation_argmax(x, 400) == 17, "argmax of negative numbers");
  TAP_OK(atl_activation_argmax(x + 1000, 3) == 2, "argmax of a short row");
}

int main(void) {
  test_map(ATL_ACTIVATION_GELU, "gelu");
  test_map(ATL_ACTIVATION_QUICK_GELU, "quick gelu");
  test_map(ATL_ACTIVATION_RELU, "relu");
  test_map(ATL_ACTIVATION_NONE, "none");
  test_exp();
  test_argmax();
  test_geglu();
  const int sizes[] = {7, 15, 16, 33, 520};
  for (int i = 0; i < 5; i++) test_softmax(sizes[i]);
  for (int i = 0; i < 5; i++) test_norm(sizes[i]);
  return tap_done();
}
