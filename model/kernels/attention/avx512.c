/* The attention kernels for AVX-512: a vector is one of the 32 registers. */
#include "model/kernels/attention/attention_private.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define UNROLL _Pragma("GCC unroll 8")
#define VEC static inline __attribute__((always_inline)) TARGET

enum { SCORE_ROWS = 8, LONE_BLOCKS = 4, VALUE_ROWS = 4, VALUE_WIDTH = 4 };

typedef __m512 vec_t;

VEC vec_t vec_load(const float *x) { return _mm512_loadu_ps(x); }
VEC vec_t vec_load_bf16(const uint16_t *x) {
  __m256i bits = _mm256_loadu_si256((const void *)x);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
VEC void vec_store(float *y, vec_t x) { _mm512_storeu_ps(y, x); }
VEC vec_t vec_splat(float x) { return _mm512_set1_ps(x); }
VEC vec_t vec_mul(vec_t a, vec_t b) { return _mm512_mul_ps(a, b); }
VEC vec_t vec_add(vec_t a, vec_t b) { return _mm512_add_ps(a, b); }
VEC vec_t vec_fma(vec_t a, vec_t b, vec_t c) { return _mm512_fmadd_ps(a, b, c); }

typedef __m512i ivec_t;

VEC ivec_t ivec_zero(void) { return _mm512_setzero_si512(); }
VEC ivec_t ivec_add(ivec_t a, ivec_t b) { return _mm512_add_epi32(a, b); }
VEC ivec_t ivec_dot(ivec_t sum, const int8_t *pairs, int32_t pair) {
  __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)pairs));
  return _mm512_add_epi32(sum, _mm512_madd_epi16(wide, _mm512_set1_epi32(pair)));
}
VEC vec_t ivec_to_float(ivec_t x) { return _mm512_cvtepi32_ps(x); }
VEC ivec_t vec_magnitude(vec_t x) { return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff)); }
VEC ivec_t ivec_larger(ivec_t a, ivec_t b) { return _mm512_max_epi32(a, b); }
VEC int32_t ivec_top(ivec_t x) { return _mm512_reduce_max_epi32(x); }
VEC void vec_store_i16(int16_t *y, vec_t x) {
  _mm256_storeu_si256((void *)y, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(x)));
}

#include "model/kernels/attention/attention_instances.h"

const atl_attention_ops_t atl_attention_avx512 = {.lacks = atl_cpu_lacks_avx512, .kernels = kernels_for};
#else
const atl_attention_ops_t atl_attention_avx512 = {0};
#endif
