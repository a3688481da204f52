/* The linear tiles for AVX2 with FMA: 16 registers of 8 columns. fp32 fills them with 6 rows x 16 columns; bf16 takes 6
 * rows x 8 columns, because each word of weights becomes two vectors of fp32. bf16 products are added in order, so the
 * sums equal the plain twin's. */
#include "model/kernels/linear/linear_private.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define UNROLL _Pragma("GCC unroll 6")
#define VEC static inline __attribute__((always_inline)) TARGET
#define ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5)

enum { LANES = 8, MAX_ROWS = 6 };

typedef __m256 vec_t;

VEC vec_t vec_load(const float *x) { return _mm256_loadu_ps(x); }
VEC void vec_store(float *y, vec_t x) { _mm256_storeu_ps(y, x); }

typedef vec_t operand_t_f32;

VEC vec_t weights_f32(const uint32_t *w) { return _mm256_load_ps((const void *)w); }
VEC vec_t input_f32(const uint32_t *x) { return _mm256_broadcast_ss((const void *)x); }
VEC vec_t add_products_f32(vec_t sum, vec_t x, vec_t w) { return _mm256_fmadd_ps(x, w, sum); }

/* Pairs widened to fp32: even i and odd i. */
typedef struct {
  vec_t even, odd;
} operand_t_bf16;

VEC operand_t_bf16 widen(__m256i pairs) {
  __m256i odd = _mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000U));
  return (operand_t_bf16){_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)), _mm256_castsi256_ps(odd)};
}
VEC operand_t_bf16 weights_bf16(const uint32_t *w) { return widen(_mm256_load_si256((const void *)w)); }
VEC operand_t_bf16 input_bf16(const uint32_t *x) { return widen(_mm256_set1_epi32((int)*x)); }
VEC vec_t add_products_bf16(vec_t sum, operand_t_bf16 x, operand_t_bf16 w) {
  return _mm256_fmadd_ps(x.odd, w.odd, _mm256_fmadd_ps(x.even, w.even, sum));
}

#define NAME(stem) stem##_f32
#define N_VECS 2
#include "model/kernels/linear/linear_tiles.h"
#undef NAME
#undef N_VECS
#define NAME(stem) stem##_bf16
#define N_VECS 1
#include "model/kernels/linear/linear_tiles.h"

const atl_linear_ops_t atl_linear_avx2_f32 = {.lacks = atl_cpu_lacks_avx2, .tile = tile_f32, .group_rows = MAX_ROWS};
const atl_linear_ops_t atl_linear_avx2_bf16 = {.lacks = atl_cpu_lacks_avx2, .tile = tile_bf16, .group_rows = MAX_ROWS};
#else
const atl_linear_ops_t atl_linear_avx2_f32 = {0}, atl_linear_avx2_bf16 = {0};
#endif
