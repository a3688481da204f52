/* gelu(x) = x Phi(x). With z = |x| / sqrt 2, the tail is Q = erfc(z) / 2 = e^(-z^2) t P(t), where t = 1 / (1 + 0.4 z)
 * and P was fitted to the smallest relative error over z in 0..10 (6e-8 in double arithmetic). gelu is x Q below zero,
 * which keeps its relative accuracy there, and x - x Q above. */
#include "model/kernels/activation/activation.h"

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
  atl_lanes_t tail = x * (p * t * lanes_exp_up_to_88(-z * z));
  return lanes_select(x < 0.0f, tail, x - tail);
}

ATL_LANES_INLINE atl_lanes_t quick_gelu(atl_lanes_t x) { return x / (1.0f + lanes_exp(x * -1.702f)); }
ATL_LANES_INLINE atl_lanes_t relu(atl_lanes_t x) { return lanes_select(x < 0.0f, (atl_lanes_t){0}, x); }

/* One loop per function: whole vectors, then the tail through the same lanes. */
#define DEFINE_MAP(name, function)                                                                                     \
  ATL_LANES_CLONES static void name(float *y, const float *x, int64_t n) {                                             \
    int64_t i = 0;                                                                                                     \
    for (; i + ATL_LANES <= n; i += ATL_LANES) lanes_store(y + i, function(lanes_load(x + i)));                        \
    if (i < n) lanes_store_tail(y + i, function(lanes_load_tail(x + i, n - i, 0)), n - i);                             \
  }
DEFINE_MAP(map_gelu, gelu)
DEFINE_MAP(map_quick_gelu, quick_gelu)
DEFINE_MAP(map_relu, relu)

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

ATL_LANES_CLONES void atl_activation_geglu(float *x, int64_t ldx, int64_t n_rows, int64_t n) {
  for (int64_t m = 0; m < n_rows; m++, x += ldx) {
    const float *gate = x + n;
    int64_t i = 0;
    for (; i + ATL_LANES <= n; i += ATL_LANES) lanes_store(x + i, lanes_load(x + i) * gelu(lanes_load(gate + i)));
    if (i == n) continue;
    atl_lanes_t tail = gelu(lanes_load_tail(gate + i, n - i, 0));
    lanes_store_tail(x + i, lanes_load_tail(x + i, n - i, 0) * tail, n - i);
  }
}

/* Per lane, the largest of `least` and every 16th element of x(n); NaN is never selected. Several chains, because each
 * comparison waits for the previous one. */
ATL_LANES_INLINE atl_lanes_t largest(const float *x, int64_t n, float least) {
  enum { N_CHAINS = 4 };
  atl_lanes_t top[N_CHAINS];
  int64_t i = 0;
  for (int c = 0; c < N_CHAINS; c++) top[c] = (atl_lanes_t){0} + least;
  for (; i + N_CHAINS * ATL_LANES <= n; i += N_CHAINS * ATL_LANES)
    for (int c = 0; c < N_CHAINS; c++) top[c] = lanes_max(lanes_load(x + i + c * ATL_LANES), top[c]);
  for (; i + ATL_LANES <= n; i += ATL_LANES) top[0] = lanes_max(lanes_load(x + i), top[0]);
  if (i < n) top[0] = lanes_max(lanes_load_tail(x + i, n - i, least), top[0]);
  return lanes_max(lanes_max(top[0], top[1]), lanes_max(top[2], top[3]));
}

ATL_LANES_CLONES void atl_activation_softmax(float *x, int64_t n) {
  if (n == 0) return;
  int64_t i = 0, n_tail = n % ATL_LANES;
  float maximum = lanes_top(largest(x, n, x[0]));
  atl_lanes_t sum = {0};

  for (i = 0; i < n - n_tail; i += ATL_LANES) {
    atl_lanes_t e = lanes_exp_up_to_88(lanes_load(x + i) - maximum);
    lanes_store(x + i, e);
    sum += e;
  }
  if (n_tail) {
    atl_lanes_t e = lanes_exp_up_to_88(lanes_load_tail(x + i, n_tail, -__FLT_MAX__) - maximum);
    lanes_store_tail(x + i, e, n_tail);
    sum += e;
  }
  float scale = 1.0f / lanes_sum(sum);
  for (i = 0; i < n - n_tail; i += ATL_LANES) lanes_store(x + i, lanes_load(x + i) * scale);
  if (n_tail) lanes_store_tail(x + i, lanes_load_tail(x + i, n_tail, 0) * scale, n_tail);
}

/* Finds the maximum in lanes, then its index. */
ATL_LANES_CLONES int64_t atl_activation_argmax(const float *x, int64_t n) {
  float maximum = lanes_top(largest(x, n, -__FLT_MAX__));
  for (int64_t i = 0; i < n; i++)
    if (x[i] == maximum) return i;
  return 0;
}
