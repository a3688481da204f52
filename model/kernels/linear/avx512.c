/* The linear tiles for AVX-512: 32 registers of 16 columns; a tile is 12 rows x the 32 columns of a panel. bf16 needs
 * AVX512-BF16: vdpbf16ps adds both products of a pair in one instruction and rounds differently from the plain twin. */
#include "model/kernels/linear/linear_private.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define FEATURES "avx512f,avx512bw,avx512vl,avx512dq,fma"
#define UNROLL _Pragma("GCC unroll 12")
#define VEC static inline __attribute__((always_inline)) TARGET
#define ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

enum { LANES = 16, N_VECS = PANEL / LANES, MAX_ROWS = 12 };

typedef __m512 vec_t;

#define TARGET __attribute__((target(FEATURES)))
VEC vec_t vec_load(const float *x) { return _mm512_loadu_ps(x); }
VEC void vec_store(float *y, vec_t x) { _mm512_storeu_ps(y, x); }

typedef vec_t operand_t_f32;

VEC vec_t weights_f32(const uint32_t *w) { return _mm512_load_ps((const void *)w); }
VEC vec_t input_f32(const uint32_t *x) {
  float value;
  memcpy(&value, x, sizeof value);
  return _mm512_set1_ps(value);
}
VEC vec_t add_products_f32(vec_t sum, vec_t x, vec_t w) { return _mm512_fmadd_ps(x, w, sum); }

#define NAME(stem) stem##_f32
#include "model/kernels/linear/linear_tiles.h"
#undef NAME
#undef TARGET
#define TARGET __attribute__((target(FEATURES ",avx512bf16")))

typedef __m512bh operand_t_bf16;

VEC operand_t_bf16 weights_bf16(const uint32_t *w) { return (__m512bh)_mm512_load_si512(w); }
VEC operand_t_bf16 input_bf16(const uint32_t *x) { return (__m512bh)_mm512_set1_epi32((int)*x); }
VEC vec_t add_products_bf16(vec_t sum, operand_t_bf16 x, operand_t_bf16 w) { return _mm512_dpbf16_ps(sum, w, x); }

#define NAME(stem) stem##_bf16
#include "model/kernels/linear/linear_tiles.h"

const atl_linear_ops_t atl_linear_avx512_f32 = {
    .lacks = atl_cpu_lacks_avx512, .tile = tile_f32, .group_rows = MAX_ROWS};
const atl_linear_ops_t atl_linear_avx512_bf16 = {
    .lacks = atl_cpu_lacks_avx512_bf16, .tile = tile_bf16, .group_rows = MAX_ROWS};
#else
const atl_linear_ops_t atl_linear_avx512_f32 = {0}, atl_linear_avx512_bf16 = {0};
#endif
