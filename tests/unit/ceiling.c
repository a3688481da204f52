// TEST np=1
/* Which instruction a ceiling measures, on processors that have it and that lack it; AMX through an emulation; and that
 * measured ceilings are finite and positive. How large they are is not judged. */
#define ATL_AMX_EMULATION "tests/support/amx_emulation.h"
#include "model/perf/ceiling_amx.c"

#include "common/memory.h"
#include "model/perf/ceiling.h"
#include "tests/support/tap.h"

static const char *fastest(atl_cpu_t cpu, bool has_amx, atl_dtype_t dtype, int n_wanted) {
  ceiling_loop_t loops[CEILING_MAX_LOOPS];
  int n = atl_ceiling_loops(cpu, has_amx, dtype, loops);
  for (int i = 0; i < n; i++)
    if (loops[i].run == NULL || !(loops[i].flops_per_step > 0) || loops[i].n_steps < 1) return "a loop without work";
  return n == n_wanted ? loops[0].instruction : "another number of loops";
}

static void test_instructions(void) {
  static const char plain[] = "multiply and add";
  const atl_cpu_t none = {0}, avx2 = {.has_avx2 = true}, avx512 = {.has_avx2 = true, .has_avx512 = true},
                  bf16 = {.has_avx2 = true, .has_avx512 = true, .has_avx512_bf16 = true};
  TAP_OK(strcmp(fastest(none, false, ATL_F32, 1), plain) == 0, "fp32 on any processor: plain C");
  TAP_OK(strcmp(fastest(none, false, ATL_BF16, 1), plain) == 0, "bf16 on any processor: the loop of fp32");
#if defined(__x86_64__)
  TAP_OK(strcmp(fastest(avx2, false, ATL_BF16, 1), "AVX2 FMA") == 0, "bf16 with AVX2: the loop of fp32");
  TAP_OK(strcmp(fastest(avx512, false, ATL_BF16, 1), "AVX-512 FMA") == 0, "bf16 with AVX-512 alone: the loop of fp32");
  TAP_OK(strcmp(fastest(bf16, false, ATL_BF16, 2), "AVX512-BF16") == 0, "bf16 with AVX512-BF16: its own instruction");
  TAP_OK(strcmp(fastest(bf16, true, ATL_BF16, 3), "AMX tiles") == 0, "bf16 with AMX: tiles");
  TAP_OK(strcmp(fastest(bf16, true, ATL_F32, 1), "AVX-512 FMA") == 0, "fp32 with AMX: no tiles");
#else
  (void)avx2, (void)avx512, (void)bf16;
#endif
}

/* A step is one product of 16 x 32 by 32 x 16 on each of 6 tiles of sums: 2*16*16*32*6 operations. Each element of a
 * sum grows by 32 * 1 * 0.5. */
static void test_tiles(void) {
  ceiling_loop_t loop = atl_ceiling_loop_amx();
  TAP_OK(fabs(loop.flops_per_step - 98304) < 0.5, "a step of tiles counts 98304 operations");
  TAP_OK(fabsf(loop.run(3) - 6 * 3 * 16) < 1e-3F, "and performs all of them");
}

static int is_positive(double x) { return isfinite(x) && x > 0; }

/* Takes the same time on any machine: the working set does not depend on its caches. */
static void test_measured(void) {
  atl_ceiling_t c = {0};
  TAP_STATUS(ATL_OK, atl_ceiling_get(2, 32 << 20, &c), "ceilings of two threads are measured");
  TAP_OK(is_positive(c.read_bytes) && is_positive(c.usual_read_bytes) && is_positive(c.f32_flops) &&
             is_positive(c.bf16_flops),
         "measured ceilings are finite and above 0");
  TAP_OK(c.usual_read_bytes <= c.read_bytes, "the best rate of reading is not below the median");
  TAP_OK(c.read_way != NULL && c.f32_instruction != NULL && c.bf16_instruction != NULL,
         "ceilings name their access pattern and instructions");
}

static void test_working_set(void) {
  const size_t mib = 1 << 20;
  TAP_OK(atl_ceiling_working_set(0) == 256 * mib && atl_ceiling_working_set(32 * mib) == 256 * mib,
         "small or unknown caches: a working set of 256 MiB");
  TAP_OK(atl_ceiling_working_set(100 * mib) == 400 * mib, "caches of 100 MiB: a working set four times as large");
  TAP_OK(atl_ceiling_working_set(480 * mib) == 1024 * mib, "caches of 480 MiB: a working set of no more than 1 GiB");
  TAP_OK(!atl_ceiling_is_cached(atl_ceiling_working_set(256 * mib), 256 * mib) &&
             atl_ceiling_is_cached(atl_ceiling_working_set(480 * mib), 480 * mib),
         "caches that may hold a part of the working set are recognised");
}

int main(void) {
  test_instructions();
  test_tiles();
  test_measured();
  test_working_set();
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
