/* AMX emulation: the five tile instructions that the AMX kernel uses, in plain C under the names of the intrinsics,
 * with the state that ldtilecfg sets. Tests run the kernel with it on processors without AMX. Semantics are those of
 * Intel's manual; a shape on which the processor would fault fails an assertion. */
#ifndef ATL_TESTS_SUPPORT_AMX_EMULATION_H
#define ATL_TESTS_SUPPORT_AMX_EMULATION_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/tensor.h"

static _Thread_local struct {
  bool is_configured;
  uint16_t row_bytes[8];
  uint8_t n_rows[8];
  uint8_t data[8][16][64];
} tap_amx;

static inline void _tile_loadconfig(const void *config) {
  const uint8_t *bytes = config;
  ATL_ASSERT(bytes[0] == 1 && bytes[1] == 0);
  memset(&tap_amx, 0, sizeof tap_amx);
  for (int t = 0; t < 8; t++) {
    memcpy(&tap_amx.row_bytes[t], bytes + 16 + 2 * t, 2);
    tap_amx.n_rows[t] = bytes[48 + t];
    ATL_ASSERT(tap_amx.row_bytes[t] <= 64 && tap_amx.n_rows[t] <= 16);
    ATL_ASSERT((tap_amx.row_bytes[t] == 0) == (tap_amx.n_rows[t] == 0));
  }
  tap_amx.is_configured = true;
}

static inline void _tile_release(void) { tap_amx.is_configured = false; }

static inline void _tile_loadd(int t, const void *base, int64_t stride) {
  ATL_ASSERT(tap_amx.is_configured && tap_amx.n_rows[t] > 0);
  memset(tap_amx.data[t], 0, sizeof tap_amx.data[t]);
  for (int r = 0; r < tap_amx.n_rows[t]; r++)
    memcpy(tap_amx.data[t][r], (const char *)base + r * stride, tap_amx.row_bytes[t]);
}

static inline void _tile_stored(int t, void *base, int64_t stride) {
  ATL_ASSERT(tap_amx.is_configured && tap_amx.n_rows[t] > 0);
  for (int r = 0; r < tap_amx.n_rows[t]; r++)
    memcpy((char *)base + r * stride, tap_amx.data[t][r], tap_amx.row_bytes[t]);
}

static inline float tap_amx_half(uint32_t pair, int is_odd) {
  return atl_f32_from_bf16((uint16_t)(is_odd ? pair >> 16 : pair & 0xffffU));
}

/* sums(M,N) += a(M,2K) b(2K,N), K pairs of bf16 per row: of each pair the even product is added first. */
static inline void _tile_dpbf16ps(int sums, int a, int b) {
  int n_pairs = tap_amx.row_bytes[a] / 4, n_columns = tap_amx.row_bytes[sums] / 4;
  ATL_ASSERT(tap_amx.is_configured && tap_amx.n_rows[sums] == tap_amx.n_rows[a]);
  ATL_ASSERT(tap_amx.n_rows[b] == n_pairs && tap_amx.row_bytes[b] == tap_amx.row_bytes[sums]);
  for (int m = 0; m < tap_amx.n_rows[sums]; m++)
    for (int n = 0; n < n_columns; n++) {
      float sum;
      memcpy(&sum, tap_amx.data[sums][m] + 4 * n, sizeof sum);
      for (int k = 0; k < n_pairs; k++) {
        uint32_t x, w;
        memcpy(&x, tap_amx.data[a][m] + 4 * k, sizeof x);
        memcpy(&w, tap_amx.data[b][k] + 4 * n, sizeof w);
        sum += tap_amx_half(x, 0) * tap_amx_half(w, 0);
        sum += tap_amx_half(x, 1) * tap_amx_half(w, 1);
      }
      memcpy(tap_amx.data[sums][m] + 4 * n, &sum, sizeof sum);
    }
}

#endif
