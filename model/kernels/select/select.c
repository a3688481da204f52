#include "model/kernels/select/select.h"

#include <float.h>

#include "model/kernels/lanes.h"

ATL_LANES_INLINE atl_lanes_t make_finite(atl_lanes_t x) {
  atl_lanes_t lowest = (atl_lanes_t){0} - FLT_MAX, highest = (atl_lanes_t){0} + FLT_MAX;
  x = lanes_select(x > lowest, x, lowest); /* NaN compares false */
  return lanes_select(x < highest, x, highest);
}

/* -1 in the lanes of NaN and +infinity, 0 elsewhere. */
ATL_LANES_INLINE atl_lanes_bits_t is_not_finite(atl_lanes_t x) { return ~(x <= FLT_MAX); }

ATL_LANES_CLONES int64_t atl_select_make_finite(float *logits, int64_t n) {
  atl_lanes_bits_t minus_count = {0};
  int64_t i = 0, count = 0;
  for (; i + ATL_LANES <= n; i += ATL_LANES) {
    atl_lanes_t x = lanes_load(logits + i);
    minus_count += is_not_finite(x);
    lanes_store(logits + i, make_finite(x));
  }
  if (i < n) {
    atl_lanes_t x = lanes_load_tail(logits + i, n - i, 0);
    minus_count += is_not_finite(x);
    lanes_store_tail(logits + i, make_finite(x), n - i);
  }
  for (int j = 0; j < ATL_LANES; j++) count -= minus_count[j];
  return count;
}

ATL_LANES_INLINE atl_lanes_t apply_guidance(atl_lanes_t x, atl_lanes_t null, float guidance) {
  return lanes_select(x > -FLT_MAX, null + guidance * (x - null), x);
}

ATL_LANES_CLONES void atl_select_apply_guidance(float *logits, const float *null_logits, float guidance, int64_t n) {
  int64_t i = 0;
  for (; i + ATL_LANES <= n; i += ATL_LANES)
    lanes_store(logits + i, apply_guidance(lanes_load(logits + i), lanes_load(null_logits + i), guidance));
  if (i == n) return;
  atl_lanes_t x = lanes_load_tail(logits + i, n - i, 0), null = lanes_load_tail(null_logits + i, n - i, 0);
  lanes_store_tail(logits + i, apply_guidance(x, null, guidance), n - i);
}

ATL_LANES_CLONES void atl_select_weigh(float *weights, const float *logits, float top, float scale, int64_t n) {
  int64_t i = 0;
  for (; i + ATL_LANES <= n; i += ATL_LANES)
    lanes_store(weights + i, lanes_exp((lanes_load(logits + i) - top) * scale));
  if (i < n) lanes_store_tail(weights + i, lanes_exp((lanes_load_tail(logits + i, n - i, top) - top) * scale), n - i);
}

typedef double pairs_t __attribute__((vector_size(128)));

ATL_LANES_INLINE double sum_of(atl_lanes_t lanes[ATL_SELECT_BLOCK / ATL_LANES]) {
  pairs_t sum = {0};
  double x[ATL_LANES];
  for (int i = 0; i < ATL_SELECT_BLOCK / ATL_LANES; i++) sum += __builtin_convertvector(lanes[i], pairs_t);
  memcpy(x, &sum, sizeof x);
  for (int half = ATL_LANES / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) x[i] += x[i + half];
  return x[0];
}

ATL_LANES_CLONES double atl_select_sum(double *sums, const float *weights, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; i += ATL_SELECT_BLOCK) {
    float block[ATL_SELECT_BLOCK] = {0};
    atl_lanes_t lanes[ATL_SELECT_BLOCK / ATL_LANES];
    int64_t n_here = n - i < ATL_SELECT_BLOCK ? n - i : ATL_SELECT_BLOCK;
    const float *from = weights + i;
    if (n_here < ATL_SELECT_BLOCK) from = memcpy(block, from, (size_t)n_here * sizeof *block);
    for (int l = 0; l < ATL_SELECT_BLOCK / ATL_LANES; l++) lanes[l] = lanes_load(from + l * ATL_LANES);
    sums[i / ATL_SELECT_BLOCK] = sum_of(lanes);
    total += sums[i / ATL_SELECT_BLOCK];
  }
  return total;
}
