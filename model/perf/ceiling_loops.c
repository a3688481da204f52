#include "model/perf/ceiling_private.h"

enum { N_CHAINS = 16, N_CHAINS_AVX2 = 12, N_STEPS = 200000 };

static float multiply_plain(int64_t n_steps) {
  float x[N_CHAINS];
  for (int j = 0; j < N_CHAINS; j++) x[j] = (float)j;
  for (int64_t i = 0; i < n_steps; i++)
    for (int j = 0; j < N_CHAINS; j++) x[j] = x[j] * 0.999F + 0.5F;
  return x[0] + x[N_CHAINS - 1];
}

static ceiling_loop_t plain_loop(void) {
  return (ceiling_loop_t){"multiply and add", multiply_plain, 2.0 * N_CHAINS, N_STEPS};
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float multiply_avx2(int64_t n_steps) {
  __m256 sum[N_CHAINS_AVX2];
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.5F);
  for (int j = 0; j < N_CHAINS_AVX2; j++) sum[j] = _mm256_set1_ps((float)j);
  for (int64_t i = 0; i < n_steps; i++)
#pragma GCC unroll 12
    for (int j = 0; j < N_CHAINS_AVX2; j++) sum[j] = _mm256_fmadd_ps(sum[j], a, b);
  for (int j = 1; j < N_CHAINS_AVX2; j++) sum[0] = _mm256_add_ps(sum[0], sum[j]);
  return _mm256_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f"))) static float multiply_avx512(int64_t n_steps) {
  __m512 sum[N_CHAINS];
  const __m512 a = _mm512_set1_ps(0.999F), b = _mm512_set1_ps(0.5F);
  for (int j = 0; j < N_CHAINS; j++) sum[j] = _mm512_set1_ps((float)j);
  for (int64_t i = 0; i < n_steps; i++)
#pragma GCC unroll 16
    for (int j = 0; j < N_CHAINS; j++) sum[j] = _mm512_fmadd_ps(sum[j], a, b);
  for (int j = 1; j < N_CHAINS; j++) sum[0] = _mm512_add_ps(sum[0], sum[j]);
  return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx512f,avx512bf16"))) static float multiply_bf16(int64_t n_steps) {
  __m512 sum[N_CHAINS];
  const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f803f80), b = (__m512bh)_mm512_set1_epi32(0x3c003c00);
  for (int j = 0; j < N_CHAINS; j++) sum[j] = _mm512_set1_ps((float)j);
  for (int64_t i = 0; i < n_steps; i++)
#pragma GCC unroll 16
    for (int j = 0; j < N_CHAINS; j++) sum[j] = _mm512_dpbf16_ps(sum[j], a, b);
  for (int j = 1; j < N_CHAINS; j++) sum[0] = _mm512_add_ps(sum[0], sum[j]);
  return _mm512_cvtss_f32(sum[0]);
}

static ceiling_loop_t f32_loop(atl_cpu_t cpu) {
  if (cpu.has_avx512) return (ceiling_loop_t){"AVX-512 FMA", multiply_avx512, 2.0 * 16 * N_CHAINS, N_STEPS};
  if (cpu.has_avx2) return (ceiling_loop_t){"AVX2 FMA", multiply_avx2, 2.0 * 8 * N_CHAINS_AVX2, N_STEPS};
  return plain_loop();
}

static ceiling_loop_t bf16_loop(void) {
  return (ceiling_loop_t){"AVX512-BF16", multiply_bf16, 4.0 * 16 * N_CHAINS, N_STEPS};
}
#else
static ceiling_loop_t f32_loop(atl_cpu_t cpu) {
  (void)cpu;
  return plain_loop();
}
static ceiling_loop_t bf16_loop(void) { return plain_loop(); }
#endif

int atl_ceiling_loops(atl_cpu_t cpu, bool has_amx, atl_dtype_t dtype, ceiling_loop_t loops[CEILING_MAX_LOOPS]) {
  int n = 0;
  if (dtype == ATL_BF16 && has_amx) loops[n++] = atl_ceiling_loop_amx();
  if (dtype == ATL_BF16 && cpu.has_avx512_bf16) loops[n++] = bf16_loop();
  loops[n++] = f32_loop(cpu);
  return n;
}
