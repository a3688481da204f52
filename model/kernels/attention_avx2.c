/* The attention kernels for AVX2 with FMA: a vector is two registers, 16 of them. */
#include "model/kernels/attention_private.h"

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
VEC __m256 half_i8(const int8_t *x) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)x)));
}
VEC vec_t vec_load_i8(const int8_t *x) { return (vec_t){half_i8(x), half_i8(x + 8)}; }
VEC vec_t vec_mul(vec_t a, vec_t b) { return (vec_t){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
VEC vec_t vec_add(vec_t a, vec_t b) { return (vec_t){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
VEC vec_t vec_fma(vec_t a, vec_t b, vec_t c) {
  return (vec_t){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

#define KERNELS attention_avx2
#include "model/kernels/attention_instances.h"
#endif
