/* The fp32 tiles. Each sum is one chain of fused multiply-adds in order of i; a lane is a column, so the three widths
 * give the same bits. Words of x are broadcast. */
#include <math.h>
#include <string.h>

#include "model/kernels/linear/linear_private.h"

static void tile_plain(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows, ahead_t ahead) {
  (void)ahead;
  for (int64_t s = 0; s < n_steps; s++)
    for (int m = 0; m < n_rows; m++) {
      float x_m, w_s[PANEL];
      memcpy(&x_m, x + m * BLOCK_STEPS + s, sizeof x_m);
      memcpy(w_s, w + s * PANEL, sizeof w_s);
      for (int j = 0; j < PANEL; j++) sums[m * PANEL + j] = fmaf(x_m, w_s[j], sums[m * PANEL + j]);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define INLINE static inline __attribute__((always_inline))

/* 6 rows x 16 columns fill the 16 registers of AVX2, so a panel is done in two halves. */
enum { AVX2_ROWS = 6, AVX512_ROWS = 12 };

AVX2 INLINE void half_avx2(const int n_rows, float *sums, const float *w, const float *x, int64_t n_steps,
                           ahead_t ahead) {
  __m256 sum[AVX2_ROWS][2];
#pragma GCC unroll 6
  for (int m = 0; m < n_rows; m++) {
    sum[m][0] = _mm256_loadu_ps(sums + m * PANEL);
    sum[m][1] = _mm256_loadu_ps(sums + m * PANEL + 8);
  }
  for (int64_t s = 0; s < n_steps; s++, w += PANEL, x++) {
    __m256 w0 = _mm256_load_ps(w), w1 = _mm256_load_ps(w + 8);
    linear_look_ahead(w, s, ahead);
#pragma GCC unroll 6
    for (int m = 0; m < n_rows; m++) {
      __m256 x_m = _mm256_broadcast_ss(x + m * BLOCK_STEPS);
      sum[m][0] = _mm256_fmadd_ps(x_m, w0, sum[m][0]);
      sum[m][1] = _mm256_fmadd_ps(x_m, w1, sum[m][1]);
    }
  }
#pragma GCC unroll 6
  for (int m = 0; m < n_rows; m++) {
    _mm256_storeu_ps(sums + m * PANEL, sum[m][0]);
    _mm256_storeu_ps(sums + m * PANEL + 8, sum[m][1]);
  }
}

AVX2 static void tile_avx2(float *sums, const uint32_t *w_words, const uint32_t *x_words, int64_t n_steps, int n_rows,
                           ahead_t ahead) {
  const float *w = (const void *)w_words, *x = (const void *)x_words;
  for (int half = 0; half < PANEL; half += 16) switch (n_rows) {
    case 1: half_avx2(1, sums + half, w + half, x, n_steps, ahead); break;
    case 2: half_avx2(2, sums + half, w + half, x, n_steps, ahead); break;
    case 3: half_avx2(3, sums + half, w + half, x, n_steps, ahead); break;
    case 4: half_avx2(4, sums + half, w + half, x, n_steps, ahead); break;
    case 5: half_avx2(5, sums + half, w + half, x, n_steps, ahead); break;
    default: half_avx2(6, sums + half, w + half, x, n_steps, ahead); break;
    }
}

AVX512 INLINE void tile_of_avx512(const int n_rows, float *sums, const float *w, const float *x, int64_t n_steps,
                                  ahead_t ahead) {
  __m512 sum[AVX512_ROWS][2];
#pragma GCC unroll 12
  for (int m = 0; m < n_rows; m++) {
    sum[m][0] = _mm512_loadu_ps(sums + m * PANEL);
    sum[m][1] = _mm512_loadu_ps(sums + m * PANEL + 16);
  }
  for (int64_t s = 0; s < n_steps; s++, w += PANEL, x++) {
    __m512 w0 = _mm512_load_ps(w), w1 = _mm512_load_ps(w + 16);
    linear_look_ahead(w, s, ahead);
#pragma GCC unroll 12
    for (int m = 0; m < n_rows; m++) {
      __m512 x_m = _mm512_set1_ps(x[m * BLOCK_STEPS]);
      sum[m][0] = _mm512_fmadd_ps(x_m, w0, sum[m][0]);
      sum[m][1] = _mm512_fmadd_ps(x_m, w1, sum[m][1]);
    }
  }
#pragma GCC unroll 12
  for (int m = 0; m < n_rows; m++) {
    _mm512_storeu_ps(sums + m * PANEL, sum[m][0]);
    _mm512_storeu_ps(sums + m * PANEL + 16, sum[m][1]);
  }
}

AVX512 static void tile_avx512(float *sums, const uint32_t *w_words, const uint32_t *x_words, int64_t n_steps,
                               int n_rows, ahead_t ahead) {
  const float *w = (const void *)w_words, *x = (const void *)x_words;
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

tiles_t linear_tiles_f32(atl_backend_t backend) {
  switch (backend) {
  case ATL_BACKEND_AVX2: return (tiles_t){tile_avx2, AVX2_ROWS};
  case ATL_BACKEND_AVX512: return (tiles_t){tile_avx512, AVX512_ROWS};
  default: return (tiles_t){tile_plain, 1};
  }
}
#else
tiles_t linear_tiles_f32(atl_backend_t backend) {
  (void)backend;
  return (tiles_t){tile_plain, 1};
}
#endif
