#include "model/kernels/ceiling.h"

#include <omp.h>
#include <stdint.h>

#include "common/memory.h"
#include "common/timer.h"
#include "model/kernels/cpu.h"

/* Measurements last about a millisecond, many times over: short enough to fall between other work of the machine. The
 * windows together pass 512 MiB before one comes again, which no cache outlives. */
enum { WINDOW_BYTES = 16 * 1024 * 1024, N_WINDOWS = 32, N_PASSES = 4, N_STEPS = 200000, N_REPEATS = 80, N_CHAINS = 16 };

typedef float lanes_t __attribute__((vector_size(64)));

/* Four sums hide the additions behind the reading. */
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static float
read_all(const lanes_t *x, int64_t n) {
  lanes_t sum[4] = {{0}};
  for (int64_t i = 0; i + 4 <= n; i += 4) {
    for (int j = 0; j < 4; j++) {
      __builtin_prefetch(x + i + j + 64, 0, 3);
      sum[j] += x[i + j];
    }
  }
  return sum[0][0] + sum[1][1] + sum[2][2] + sum[3][3];
}

/* A loop of independent chains, and the operations a step of it does. Its result is used so that it is not dropped. */
typedef struct {
  float (*run)(int64_t n_steps);
  double flops_per_step;
} loop_t;

static float multiply_plain(int64_t n_steps) {
  float x[N_CHAINS];
  for (int j = 0; j < N_CHAINS; j++) x[j] = (float)j;
  for (int64_t i = 0; i < n_steps; i++)
    for (int j = 0; j < N_CHAINS; j++) x[j] = x[j] * 0.999F + 0.5F;
  return x[0] + x[N_CHAINS - 1];
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float multiply_avx2(int64_t n_steps) {
  __m256 sum[12];
  const __m256 a = _mm256_set1_ps(0.999F), b = _mm256_set1_ps(0.5F);
  for (int j = 0; j < 12; j++) sum[j] = _mm256_set1_ps((float)j);
  for (int64_t i = 0; i < n_steps; i++)
#pragma GCC unroll 12
    for (int j = 0; j < 12; j++) sum[j] = _mm256_fmadd_ps(sum[j], a, b);
  for (int j = 1; j < 12; j++) sum[0] = _mm256_add_ps(sum[0], sum[j]);
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

static loop_t f32_loop(void) {
  atl_cpu_t cpu = atl_cpu_get();
  if (cpu.has_avx512) return (loop_t){multiply_avx512, 2.0 * 16 * N_CHAINS};
  if (cpu.has_avx2) return (loop_t){multiply_avx2, 2.0 * 8 * 12};
  return (loop_t){multiply_plain, 2.0 * N_CHAINS};
}

static loop_t bf16_loop(void) {
  return atl_cpu_get().has_avx512_bf16 ? (loop_t){multiply_bf16, 4.0 * 16 * N_CHAINS} : f32_loop();
}
#else
static loop_t f32_loop(void) { return (loop_t){multiply_plain, 2.0 * N_CHAINS}; }
static loop_t bf16_loop(void) { return f32_loop(); }
#endif

static double measure_flops(int n_threads, loop_t loop) {
  double best = 0;
  volatile float sink = 0;
  for (int i = 0; i < N_REPEATS; i++) {
    double start = atl_timer_now();
#pragma omp parallel num_threads(n_threads)
    {
      float x = loop.run(N_STEPS);
#pragma omp critical
      sink = sink + x;
    }
    double rate = loop.flops_per_step * N_STEPS * n_threads / (atl_timer_now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

/* The buffer is read window by window and the fastest window counts. */
static double measure_reading(int n_threads, const lanes_t *x) {
  int64_t n = WINDOW_BYTES / (int64_t)sizeof *x, share = n / n_threads;
  double best = 0;
  volatile float sink = 0;
  for (int i = 0; i < N_PASSES * N_WINDOWS; i++) {
    const lanes_t *window = x + i % N_WINDOWS * n;
    double start = atl_timer_now();
#pragma omp parallel num_threads(n_threads)
    {
      float sum = read_all(window + omp_get_thread_num() * share, share);
#pragma omp critical
      sink = sink + sum;
    }
    double rate = (double)(share * n_threads) * sizeof *x / (atl_timer_now() - start);
    best = rate > best ? rate : best;
  }
  return best;
}

atl_status_t atl_ceiling_get(int n_threads, atl_ceiling_t *ceiling) {
  lanes_t *buffer;
  ATL_TRY(atl_memory_new(N_WINDOWS, WINDOW_BYTES, (void **)&buffer));
  ceiling->read_bytes = measure_reading(n_threads, buffer);
  ATL_DESTROY(&buffer);
  ceiling->f32_flops = measure_flops(n_threads, f32_loop());
  ceiling->bf16_flops = measure_flops(n_threads, bf16_loop());
  return ATL_OK;
}
