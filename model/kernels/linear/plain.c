/* The linear tiles in plain C: the plain twin of the others, and the code for processors without AVX2. */
#include <math.h>
#include <string.h>

#include "model/kernels/linear/linear_private.h"

static float f32_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void tile_f32(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                     prefetch_t prefetch) {
  (void)prefetch;
  for (int64_t s = 0; s < n_steps; s++)
    for (int m = 0; m < n_rows; m++) {
      float x_m, w_s[PANEL];
      memcpy(&x_m, x + m * BLOCK_STEPS + s, sizeof x_m);
      memcpy(w_s, w + s * PANEL, sizeof w_s);
      for (int j = 0; j < PANEL; j++) sums[m * PANEL + j] = fmaf(x_m, w_s[j], sums[m * PANEL + j]);
    }
}

/* A word is a pair: i in the low half, i+1 in the high half. */
static void tile_bf16(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                      prefetch_t prefetch) {
  (void)prefetch;
  for (int64_t s = 0; s < n_steps; s++)
    for (int m = 0; m < n_rows; m++) {
      uint32_t pair = x[m * BLOCK_STEPS + s];
      float even = f32_of(pair << 16), odd = f32_of(pair & 0xffff0000U);
      for (int j = 0; j < PANEL; j++) {
        uint32_t weight = w[s * PANEL + j];
        float sum = fmaf(even, f32_of(weight << 16), sums[m * PANEL + j]);
        sums[m * PANEL + j] = fmaf(odd, f32_of(weight & 0xffff0000U), sum);
      }
    }
}

const atl_linear_ops_t atl_linear_plain_f32 = {.lacks = atl_cpu_lacks_nothing, .tile = tile_f32, .group_rows = 1};
const atl_linear_ops_t atl_linear_plain_bf16 = {.lacks = atl_cpu_lacks_nothing, .tile = tile_bf16, .group_rows = 1};
