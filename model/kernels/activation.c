/* gelu(x) = x Phi(x). With z = |x| / sqrt 2 the tail Q = erfc(z) / 2 = e^(-z^2) t P(t), t = 1 / (1 + 0.4 z), where P
 * was fitted for this file to the smallest relative error over z in 0..10 (6e-8, double arithmetic). gelu is then x Q
 * below zero, where it keeps its relative accuracy, and x - x Q above. */
#include "model/kernels/activation.h"

#include "common/status.h"
#include "model/kernels/lanes.h"

ATL_LANES_INLINE atl_lanes_t gelu(atl_lanes_t x) {
  atl_lanes_t z = lanes_select(x < 0.0f, -x, x) * 0.707106781f;
  atl_lanes_t t = 1.0f / (1.0f + 0.4f * z);
  atl_lanes_t p = t * 0.0206266295f - 0.0701601488f;
  p = p * t + 0.0419947301f;
  p = p * t + 0.0439809429f;
  p = p * t + 0.0398790782f;
  p = p * t + 0.0966962575f;
  p = p * t + 0.100943881f;
  p = p * t + 0.113221544f;
  p = p * t + 0.112817116f;
  atl_lanes_t tail = x * (p * t * lanes_exp(-z * z));
  return lanes_select(x < 0.0f, tail, x - tail);
}

ATL_LANES_INLINE atl_lanes_t quick_gelu(atl_lanes_t x) { return x / (1.0f + lanes_exp(x * -1.702f)); }
ATL_LANES_INLINE atl_lanes_t relu(atl_lanes_t x) { return lanes_select(x < 0.0f, (atl_lanes_t){0}, x); }

/* One loop per function: whole lanes, then the tail through the same lanes. */
#define DEFINE_MAP(name, function)                                                                                     \
  ATL_LANES_CLONES static void name(float *y, const float *x, int64_t n) {                                             \
    int64_t i = 0;                                                                                                     \
    for (; i + ATL_LANES <= n; i += ATL_LANES) lanes_store(y + i, function(lanes_load(x + i)));                        \
    if (i < n) lanes_store_tail(y + i, function(lanes_load_tail(x + i, n - i, 0)), n - i);                             \
  }
DEFINE_MAP(map_gelu, gelu)
DEFINE_MAP(map_quick_gelu, quick_gelu)
DEFINE_MAP(map_relu, relu)
DEFINE_MAP(map_exp, lanes_exp)

void atl_activation_apply(float *y, const float *x, int64_t n, atl_activation_t kind) {
  ATL_ASSERT(kind != ATL_ACTIVATION_GEGLU);
  if (kind == ATL_ACTIVATION_RELU)
    map_relu(y, x, n);
  else if (kind == ATL_ACTIVATION_GELU)
    map_gelu(y, x, n);
  else if (kind == ATL_ACTIVATION_QUICK_GELU)
    map_quick_gelu(y, x, n);
  else if (y != x)
    memcpy(y, x, (size_t)n * sizeof *y);
}

ATL_LANES_CLONES void atl_activation_geglu(float *y, const float *value, const float *gate, int64_t n) {
  int64_t i = 0;
  for (; i + ATL_LANES <= n; i += ATL_LANES) lanes_store(y + i, lanes_load(value + i) * gelu(lanes_load(gate + i)));
  if (i < n) {
    atl_lanes_t tail = gelu(lanes_load_tail(gate + i, n - i, 0));
    lanes_store_tail(y + i, lanes_load_tail(value + i, n - i, 0) * tail, n - i);
  }
}

void atl_activation_exp(float *y, const float *x, int64_t n) { map_exp(y, x, n); }

ATL_LANES_CLONES void atl_activation_softmax(float *x, int64_t n) {
  if (n == 0) return;
  atl_lanes_t top = (atl_lanes_t){0} + x[0], sum = {0};
  int64_t i = 0, n_tail = n % ATL_LANES;
  for (; i < n - n_tail; i += ATL_LANES) top = lanes_max(lanes_load(x + i), top);
  if (n_tail) top = lanes_max(lanes_load_tail(x + i, n_tail, x[0]), top);
  float maximum = x[0];
  for (int l = 0; l < ATL_LANES; l++) maximum = top[l] > maximum ? top[l] : maximum;

  for (i = 0; i < n - n_tail; i += ATL_LANES) {
    atl_lanes_t e = lanes_exp(lanes_load(x + i) - maximum);
    lanes_store(x + i, e);
    sum += e;
  }
  if (n_tail) {
    atl_lanes_t e = lanes_exp(lanes_load_tail(x + i, n_tail, -__FLT_MAX__) - maximum);
    lanes_store_tail(x + i, e, n_tail);
    sum += e;
  }
  float scale = 1.0f / lanes_sum(sum);
  for (i = 0; i < n - n_tail; i += ATL_LANES) lanes_store(x + i, lanes_load(x + i) * scale);
  if (n_tail) lanes_store_tail(x + i, lanes_load_tail(x + i, n_tail, 0) * scale, n_tail);
}

/* The maximum first, in lanes; then where it is. */
ATL_LANES_CLONES int64_t atl_activation_argmax(const float *x, int64_t n) {
  atl_lanes_t top = (atl_lanes_t){0} - __FLT_MAX__;
  int64_t i = 0;
  for (; i + ATL_LANES <= n; i += ATL_LANES) top = lanes_max(lanes_load(x + i), top);
  if (i < n) top = lanes_max(lanes_load_tail(x + i, n - i, -__FLT_MAX__), top);
  float maximum = top[0];
  for (int l = 1; l < ATL_LANES; l++) maximum = top[l] > maximum ? top[l] : maximum;
  for (i = 0; i < n; i++)
    if (x[i] == maximum) return i;
  return 0;
}
