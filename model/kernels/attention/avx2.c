/* The attention kernels for AVX2 with FMA: a vector is two of the 16 registers. */
#include "model/kernels/attention/attention_private.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define UNROLL _Pragma("GCC unroll 8")
#define VEC static inline __attribute__((always_inline)) TARGET

enum { SCORE_ROWS = 2, LONE_BLOCKS = 2, VALUE_ROWS = 2, VALUE_WIDTH = 2 };

typedef struct {
  __m256 low, high;
} vec_t;

VEC vec_t vec_load(const float *x) { return (vec_t){_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
VEC __m256 half_bf16(const uint16_t *x) {
  __m128i bits = _mm_loadu_si128((const void *)x);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
VEC vec_t vec_load_bf16(const uint16_t *x) { return (vec_t){half_bf16(x), half_bf16(x + 8)}; }
VEC void vec_store(float *y, vec_t x) {
  _mm256_storeu_ps(y, x.low);
  _mm256_storeu_ps(y + 8, x.high);
}
VEC vec_t vec_splat(float x) { return (vec_t){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
VEC vec_t vec_mul(vec_t a, vec_t b) { return (vec_t){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
VEC vec_t vec_add(vec_t a, vec_t b) { return (vec_t){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
VEC vec_t vec_fma(vec_t a, vec_t b, vec_t c) {
  return (vec_t){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

typedef struct {
  __m256i low, high;
} ivec_t;

VEC ivec_t ivec_zero(void) { return (ivec_t){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
VEC ivec_t ivec_add(ivec_t a, ivec_t b) {
  return (ivec_t){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
VEC __m256i half_dot(__m256i sum, const int8_t *pairs, __m256i pair) {
  __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)pairs));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(wide, pair));
}
VEC ivec_t ivec_dot(ivec_t sum, const int8_t *pairs, int32_t pair) {
  __m256i all = _mm256_set1_epi32(pair);
  return (ivec_t){half_dot(sum.low, pairs, all), half_dot(sum.high, pairs + 16, all)};
}
VEC vec_t ivec_to_float(ivec_t x) { return (vec_t){_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)}; }
VEC ivec_t vec_magnitude(vec_t x) {
  __m256i mask = _mm256_set1_epi32(0x7fffffff);
  return (ivec_t){_mm256_and_si256(_mm256_castps_si256(x.low), mask),
                  _mm256_and_si256(_mm256_castps_si256(x.high), mask)};
}
VEC ivec_t ivec_larger(ivec_t a, ivec_t b) {
  return (ivec_t){_mm256_max_epi32(a.low, b.low), _mm256_max_epi32(a.high, b.high)};
}
VEC int32_t ivec_top(ivec_t x) {
  int32_t lanes[8], top = 0;
  _mm256_storeu_si256((void *)lanes, _mm256_max_epi32(x.low, x.high));
  for (int i = 0; i < 8; i++) top = lanes[i] > top ? lanes[i] : top;
  return top;
}
VEC void vec_store_i16(int16_t *y, vec_t x) {
  __m256i packed = _mm256_packs_epi32(_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high));
  _mm256_storeu_si256((void *)y, _mm256_permute4x64_epi64(packed, 0xd8));
}

#include "model/kernels/attention/attention_instances.h"

const atl_attention_ops_t atl_attention_avx2 = {.lacks = atl_cpu_lacks_avx2, .kernels = kernels_for};
#else
const atl_attention_ops_t atl_attention_avx2 = {0};
#endif
