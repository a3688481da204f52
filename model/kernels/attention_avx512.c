/* The attention kernels for AVX-512: a vector is one register, 32 of them. */
#include "model/kernels/attention_private.h"

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
VEC vec_t vec_load_i8(const int8_t *x) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)x)));
}
VEC vec_t vec_mul(vec_t a, vec_t b) { return _mm512_mul_ps(a, b); }
VEC vec_t vec_add(vec_t a, vec_t b) { return _mm512_add_ps(a, b); }
VEC vec_t vec_fma(vec_t a, vec_t b, vec_t c) { return _mm512_fmadd_ps(a, b, c); }

#define KERNELS attention_avx512
#include "model/kernels/attention_instances.h"
#endif
