/* The bf16 tiles on AMX. The packed order fits as it is: 16 steps of half a panel are a tile of weights whose rows lie
 * STEP_BYTES apart, and 16 steps of 16 packed rows are a tile of x. Up to 32 rows times the panel's two halves are
 * summed in four tiles at once. A row of a tile contributes to that row's sums alone, and steps come in order, so a
 * row's result does not depend on its batch. Sums are rounded differently from vdpbf16ps.
 *
 * Steps are padded to whole tiles (linear.c); the padding is zero in the weights and in x.
 *
 * tests/support/amx_emulation.h replaces the instructions where a processor lacks them. */
#include "model/kernels/linear/linear_private.h"

#if defined(ATL_AMX_EMULATION) || defined(__x86_64__)
#ifdef ATL_AMX_EMULATION
#include ATL_AMX_EMULATION
#define AMX
#define LACKS_TILES atl_cpu_lacks_nothing
#else
#include <immintrin.h>
#define AMX __attribute__((target("amx-tile,amx-bf16")))
#define LACKS_TILES atl_cpu_lacks_amx
#endif

enum { TILE_ROWS = 16, TILE_BYTES = 64, TILE_STEPS = 16, X_STRIDE = BLOCK_STEPS * 4, AMX_ROWS = 2 * TILE_ROWS };

/* The operand of ldtilecfg. Tiles 0..3 are sums (rows x halves), 4 and 5 rows of x, 6 and 7 weights. */
typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t n_rows[16];
} tile_config_t;

static tile_config_t configure(int n_upper, int n_lower) {
  tile_config_t config = {.palette = 1};
  const int n_rows[8] = {n_upper, n_upper, n_lower, n_lower, n_upper, n_lower, TILE_STEPS, TILE_STEPS};
  for (int i = 0; i < 8; i++) {
    config.n_rows[i] = (uint8_t)n_rows[i];
    config.row_bytes[i] = n_rows[i] > 0 ? TILE_BYTES : 0;
  }
  return config;
}

static inline __attribute__((always_inline)) void prefetch_steps(const uint32_t *w, int64_t first_step,
                                                                 prefetch_t prefetch) {
  for (int64_t s = first_step; s < first_step + TILE_STEPS; s++) prefetch_step(w + s * PANEL, s, prefetch);
}

AMX static void sum_upper(const uint32_t *w, const uint32_t *x, int64_t n_steps, prefetch_t prefetch) {
  for (int64_t s = 0; s < n_steps; s += TILE_STEPS) {
    prefetch_steps(w, s, prefetch);
    _tile_loadd(4, x + s, X_STRIDE);
    _tile_loadd(6, w + s * PANEL, STEP_BYTES);
    _tile_loadd(7, w + s * PANEL + TILE_ROWS, STEP_BYTES);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
}

AMX static void sum_both(const uint32_t *w, const uint32_t *x, int64_t n_steps, prefetch_t prefetch) {
  for (int64_t s = 0; s < n_steps; s += TILE_STEPS) {
    prefetch_steps(w, s, prefetch);
    _tile_loadd(4, x + s, X_STRIDE);
    _tile_loadd(6, w + s * PANEL, STEP_BYTES);
    _tile_loadd(7, w + s * PANEL + TILE_ROWS, STEP_BYTES);
    _tile_loadd(5, x + TILE_ROWS * BLOCK_STEPS + s, X_STRIDE);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

/* The compiler does not know which memory the tile instructions read and write: no access may move across, and all of
 * `object` must be in memory. */
#define FENCE(object) __asm__ volatile("" ::"r"(object) : "memory")

AMX static void tile_amx(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                         prefetch_t prefetch) {
  int n_upper = n_rows < TILE_ROWS ? n_rows : TILE_ROWS, n_lower = n_rows - n_upper;
  float *lower = sums + TILE_ROWS * PANEL;
  tile_config_t config = configure(n_upper, n_lower);
  FENCE(&config);
  _tile_loadconfig(&config);
  _tile_loadd(0, sums, STEP_BYTES);
  _tile_loadd(1, sums + TILE_ROWS, STEP_BYTES);
  if (n_lower > 0) {
    _tile_loadd(2, lower, STEP_BYTES);
    _tile_loadd(3, lower + TILE_ROWS, STEP_BYTES);
    sum_both(w, x, n_steps, prefetch);
    _tile_stored(2, lower, STEP_BYTES);
    _tile_stored(3, lower + TILE_ROWS, STEP_BYTES);
  } else {
    sum_upper(w, x, n_steps, prefetch);
  }
  _tile_stored(0, sums, STEP_BYTES);
  _tile_stored(1, sums + TILE_ROWS, STEP_BYTES);
  _tile_release();
  FENCE(sums);
}

const atl_linear_ops_t atl_linear_amx_bf16 = {
    .lacks = LACKS_TILES, .tile = tile_amx, .group_rows = AMX_ROWS, .tile_steps = TILE_STEPS};
#else
const atl_linear_ops_t atl_linear_amx_bf16 = {0};
#endif
