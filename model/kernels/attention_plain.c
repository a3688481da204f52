/* The attention kernels in plain C: the twin that the others are tested against, and what other processors run. */
#include <math.h>

#include "model/kernels/attention_private.h"

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
static inline vec_t vec_load_i8(const int8_t *x) {
  vec_t y;
  for (int l = 0; l < ATL_KEY_BLOCK; l++) y.lane[l] = (float)x[l];
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
#define KERNELS attention_plain
#include "model/kernels/attention_instances.h"
