/* The attention kernels in plain C: the plain twin of the others, and the code for processors without AVX2. */
#include <math.h>
#include <string.h>

#include "model/kernels/attention/attention_private.h"

#define TARGET
#define UNROLL

enum { SCORE_ROWS = 1, LONE_BLOCKS = 1, VALUE_ROWS = 1, VALUE_WIDTH = 1 };

typedef struct {
  float lane[ATL_KEY_BLOCK];
} vec_t;

static inline vec_t vec_load(const float *x) {
  vec_t y;
  for (int l = 0; l < ATL_KEY_BLOCK; l++) y.lane[l] = x[l];
  return y;
}
static inline vec_t vec_load_bf16(const uint16_t *x) {
  vec_t y;
  for (int l = 0; l < ATL_KEY_BLOCK; l++) y.lane[l] = atl_f32_from_bf16(x[l]);
  return y;
}
static inline void vec_store(float *y, vec_t x) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) y[l] = x.lane[l];
}
static inline vec_t vec_splat(float x) {
  vec_t y;
  for (int l = 0; l < ATL_KEY_BLOCK; l++) y.lane[l] = x;
  return y;
}
static inline vec_t vec_mul(vec_t a, vec_t b) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) a.lane[l] *= b.lane[l];
  return a;
}
static inline vec_t vec_add(vec_t a, vec_t b) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) a.lane[l] += b.lane[l];
  return a;
}
static inline vec_t vec_fma(vec_t a, vec_t b, vec_t c) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) c.lane[l] = fmaf(a.lane[l], b.lane[l], c.lane[l]);
  return c;
}

typedef struct {
  int32_t lane[ATL_KEY_BLOCK];
} ivec_t;

static inline ivec_t ivec_zero(void) { return (ivec_t){{0}}; }
static inline ivec_t ivec_add(ivec_t a, ivec_t b) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) a.lane[l] += b.lane[l];
  return a;
}
static inline ivec_t ivec_dot(ivec_t sum, const int8_t *pairs, int32_t pair) {
  int16_t x[2];
  memcpy(x, &pair, sizeof x);
  for (int l = 0; l < ATL_KEY_BLOCK; l++) sum.lane[l] += pairs[2 * l] * x[0] + pairs[2 * l + 1] * x[1];
  return sum;
}
static inline vec_t ivec_to_float(ivec_t x) {
  vec_t y;
  for (int l = 0; l < ATL_KEY_BLOCK; l++) y.lane[l] = (float)x.lane[l];
  return y;
}
static inline ivec_t vec_magnitude(vec_t x) {
  ivec_t bits;
  memcpy(&bits, &x, sizeof bits);
  for (int l = 0; l < ATL_KEY_BLOCK; l++) bits.lane[l] &= 0x7fffffff;
  return bits;
}
static inline ivec_t ivec_larger(ivec_t a, ivec_t b) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) a.lane[l] = a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l];
  return a;
}
static inline int32_t ivec_top(ivec_t x) {
  int32_t top = x.lane[0];
  for (int l = 1; l < ATL_KEY_BLOCK; l++) top = x.lane[l] > top ? x.lane[l] : top;
  return top;
}
/* NaN and values beyond 16 bits become 0: their scale is NaN or infinite, and so are the results. */
static inline void vec_store_i16(int16_t *y, vec_t x) {
  for (int l = 0; l < ATL_KEY_BLOCK; l++) {
    float rounded = rintf(x.lane[l]);
    y[l] = (int16_t)(fabsf(rounded) <= INT16_MAX ? rounded : 0);
  }
}

#include "model/kernels/attention/attention_instances.h"

const atl_attention_ops_t atl_attention_plain = {.lacks = atl_cpu_lacks_nothing, .kernels = kernels_for};
