/* The bf16 tiles. A word is a pair: i in the low half, i+1 in the high half. vdpbf16ps adds both products of a pair to
 * the sum in one instruction; the other tiles expand the halves to fp32 and add them in order with fused multiply-add,
 * which agrees among them bit for bit, but not with vdpbf16ps. */
#include <math.h>
#include <string.h>

#include "model/kernels/linear/linear_private.h"

static float f32_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void tile_plain(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows, ahead_t ahead) {
  (void)ahead;
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

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))
#define INLINE static inline __attribute__((always_inline))

enum { AVX2_ROWS = 6, AVX512_ROWS = 12 };

AVX2 INLINE __m256 low_avx2(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
AVX2 INLINE __m256 high_avx2(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000U)));
}

/* 8 columns at a time: the pairs of one register become two of fp32. */
AVX2 INLINE void quarter_avx2(const int n_rows, float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps,
                              ahead_t ahead) {
  __m256 sum[AVX2_ROWS];
#pragma GCC unroll 6
  for (int m = 0; m < n_rows; m++) sum[m] = _mm256_loadu_ps(sums + m * PANEL);
  for (int64_t s = 0; s < n_steps; s++, w += PANEL, x++) {
    __m256i pairs = _mm256_load_si256((const void *)w);
    __m256 even = low_avx2(pairs), odd = high_avx2(pairs);
    linear_look_ahead(w, s, ahead);
#pragma GCC unroll 6
    for (int m = 0; m < n_rows; m++) {
      __m256i x_m = _mm256_set1_epi32((int)x[m * BLOCK_STEPS]);
      sum[m] = _mm256_fmadd_ps(low_avx2(x_m), even, sum[m]);
      sum[m] = _mm256_fmadd_ps(high_avx2(x_m), odd, sum[m]);
    }
  }
#pragma GCC unroll 6
  for (int m = 0; m < n_rows; m++) _mm256_storeu_ps(sums + m * PANEL, sum[m]);
}

AVX2 static void tile_avx2(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                           ahead_t ahead) {
  for (int part = 0; part < PANEL; part += 8) switch (n_rows) {
    case 1: quarter_avx2(1, sums + part, w + part, x, n_steps, ahead); break;
    case 2: quarter_avx2(2, sums + part, w + part, x, n_steps, ahead); break;
    case 3: quarter_avx2(3, sums + part, w + part, x, n_steps, ahead); break;
    case 4: quarter_avx2(4, sums + part, w + part, x, n_steps, ahead); break;
    case 5: quarter_avx2(5, sums + part, w + part, x, n_steps, ahead); break;
    default: quarter_avx2(6, sums + part, w + part, x, n_steps, ahead); break;
    }
}

AVX512 INLINE void tile_of_avx512(const int n_rows, float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps,
                                  ahead_t ahead) {
  __m512 sum[AVX512_ROWS][2];
#pragma GCC unroll 12
  for (int m = 0; m < n_rows; m++) {
    sum[m][0] = _mm512_loadu_ps(sums + m * PANEL);
    sum[m][1] = _mm512_loadu_ps(sums + m * PANEL + 16);
  }
  for (int64_t s = 0; s < n_steps; s++, w += PANEL, x++) {
    __m512bh w0 = (__m512bh)_mm512_load_si512(w), w1 = (__m512bh)_mm512_load_si512(w + 16);
    linear_look_ahead(w, s, ahead);
#pragma GCC unroll 12
    for (int m = 0; m < n_rows; m++) {
      __m512bh x_m = (__m512bh)_mm512_set1_epi32((int)x[m * BLOCK_STEPS]);
      sum[m][0] = _mm512_dpbf16_ps(sum[m][0], w0, x_m);
      sum[m][1] = _mm512_dpbf16_ps(sum[m][1], w1, x_m);
    }
  }
#pragma GCC unroll 12
  for (int m = 0; m < n_rows; m++) {
    _mm512_storeu_ps(sums + m * PANEL, sum[m][0]);
    _mm512_storeu_ps(sums + m * PANEL + 16, sum[m][1]);
  }
}

AVX512 static void tile_avx512(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                               ahead_t ahead) {
  switch (n_rows) {
  case 1: tile_of_avx512(1, sums, w, x, n_steps, ahead); break;
  case 2: tile_of_avx512(2, sums, w, x, n_steps, ahead); break;
  case 3: tile_of_avx512(3, sums, w, x, n_steps, ahead); break;
  case 4: tile_of_avx512(4, sums, w, x, n_steps, ahead); break;
  case 5: tile_of_avx512(5, sums, w, x, n_steps, ahead); break;
  case 6: tile_of_avx512(6, sums, w, x, n_steps, ahead); break;
  case 7: tile_of_avx512(7, sums, w, x, n_steps, ahead); break;
  case 8: tile_of_avx512(8, sums, w, x, n_steps, ahead); break;
  case 9: tile_of_avx512(9, sums, w, x, n_steps, ahead); break;
  case 10: tile_of_avx512(10, sums, w, x, n_steps, ahead); break;
  case 11: tile_of_avx512(11, sums, w, x, n_steps, ahead); break;
  default: tile_of_avx512(12, sums, w, x, n_steps, ahead); break;
  }
}

tiles_t linear_tiles_bf16(atl_backend_t backend) {
  switch (backend) {
  case ATL_BACKEND_AVX2: return (tiles_t){tile_avx2, AVX2_ROWS};
  case ATL_BACKEND_AVX512: return (tiles_t){tile_avx512, AVX512_ROWS};
  default: return (tiles_t){tile_plain, 1};
  }
}
#else
tiles_t linear_tiles_bf16(atl_backend_t backend) {
  (void)backend;
  return (tiles_t){tile_plain, 1};
}
#endif
