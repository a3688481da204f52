/* The peak of AMX: six tiles of sums, one of x and one of weights, all in registers. There are six chains, because a
 * product's latency is about four times the interval at which products can start.
 *
 * tests/support/amx_emulation.h replaces the instructions where a processor lacks them. */
#include "model/perf/ceiling_private.h"

#if defined(ATL_AMX_EMULATION) || defined(__x86_64__)
#ifdef ATL_AMX_EMULATION
#include ATL_AMX_EMULATION
#define AMX
#else
#include <immintrin.h>
#define AMX __attribute__((target("amx-tile,amx-bf16")))
#endif

enum { N_TILES = 8, N_SUMS = 6, TILE_ROWS = 16, TILE_BYTES = 64, PAIRS_PER_ROW = TILE_BYTES / 4 };

typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t n_rows[16];
} tile_config_t;

/* The compiler does not know which memory the tile instructions read and write. */
#define FENCE(object) __asm__ volatile("" ::"r"(object) : "memory")

static void set_pairs(uint32_t tile[TILE_ROWS * PAIRS_PER_ROW], uint32_t pair) {
  for (int i = 0; i < TILE_ROWS * PAIRS_PER_ROW; i++) tile[i] = pair;
}

/* Returns the sum over the chains of an element that adds n_steps * 32 products of 1 * 0.5. */
AMX static float multiply_amx(int64_t n_steps) {
  tile_config_t config = {.palette = 1};
  for (int i = 0; i < N_TILES; i++) {
    config.n_rows[i] = TILE_ROWS;
    config.row_bytes[i] = TILE_BYTES;
  }
  uint32_t x[TILE_ROWS * PAIRS_PER_ROW], w[TILE_ROWS * PAIRS_PER_ROW];
  float sums[N_SUMS][TILE_ROWS * PAIRS_PER_ROW] = {{0}};
  set_pairs(x, 0x3f803f80);
  set_pairs(w, 0x3f003f00);
  FENCE(&config);
  FENCE(x);
  FENCE(w);
  _tile_loadconfig(&config); /* also zeroes the tiles */
  _tile_loadd(6, x, TILE_BYTES);
  _tile_loadd(7, w, TILE_BYTES);
  for (int64_t i = 0; i < n_steps; i++) {
    _tile_dpbf16ps(0, 6, 7);
    _tile_dpbf16ps(1, 6, 7);
    _tile_dpbf16ps(2, 6, 7);
    _tile_dpbf16ps(3, 6, 7);
    _tile_dpbf16ps(4, 6, 7);
    _tile_dpbf16ps(5, 6, 7);
  }
  _tile_stored(0, sums[0], TILE_BYTES);
  _tile_stored(1, sums[1], TILE_BYTES);
  _tile_stored(2, sums[2], TILE_BYTES);
  _tile_stored(3, sums[3], TILE_BYTES);
  _tile_stored(4, sums[4], TILE_BYTES);
  _tile_stored(5, sums[5], TILE_BYTES);
  _tile_release();
  FENCE(sums);
  float sum = 0;
  for (int i = 0; i < N_SUMS; i++) sum += sums[i][TILE_ROWS * PAIRS_PER_ROW - 1];
  return sum;
}

ceiling_loop_t atl_ceiling_loop_amx(void) {
  double products = (double)N_SUMS * TILE_ROWS * PAIRS_PER_ROW * 2 * PAIRS_PER_ROW;
  return (ceiling_loop_t){"AMX tiles", multiply_amx, 2 * products, 20000};
}
#else
ceiling_loop_t atl_ceiling_loop_amx(void) { return (ceiling_loop_t){0}; }
#endif
