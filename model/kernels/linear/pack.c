/* Packing: weights into panels once per layer, rows of x into blocks once per call. */
#include <string.h>

#include "model/kernels/bf16.h"
#include "model/kernels/linear/linear_private.h"

int64_t atl_linear_source_row(const atl_linear_t *linear, int64_t i_panel, int64_t column) {
  int64_t i_result = i_panel * linear->panel_results + column % linear->panel_results;
  if (i_result >= linear->n_results) return -1;
  return column < linear->panel_results ? i_result : linear->n_results + i_result;
}

void atl_linear_round_row(atl_dtype_t dtype, void *out, const float *x, int64_t n) {
  if (dtype == ATL_BF16)
    atl_bf16_round(out, x, n);
  else
    memcpy(out, x, (size_t)n * sizeof *x);
}

int64_t atl_linear_pack_block(const atl_linear_t *linear, uint32_t *words, const float *x, int64_t i_block) {
  int64_t block_items = BLOCK_STEPS * items_per_step(linear->dtype), first = i_block * block_items;
  int64_t n = linear->n_in - first < block_items ? linear->n_in - first : block_items;
  if (linear->dtype == ATL_BF16 && n % 2 == 1) words[n / 2] = 0; /* the half beyond the end */
  atl_linear_round_row(linear->dtype, words, x + first, n);
  return (n + items_per_step(linear->dtype) - 1) / items_per_step(linear->dtype);
}

static void pack_column(const atl_linear_t *linear, uint32_t *column, const float *weight) {
  uint32_t words[BLOCK_STEPS];
  for (int64_t i_block = 0; i_block < linear->n_blocks; i_block++) {
    int64_t n_steps = atl_linear_pack_block(linear, words, weight, i_block);
    for (int64_t s = 0; s < n_steps; s++) column[(i_block * BLOCK_STEPS + s) * PANEL] = words[s];
  }
}

void atl_linear_pack_panel(atl_linear_t *linear, const atl_linear_spec_t *spec, int64_t i_panel) {
  uint32_t *panel = linear->weights + i_panel * linear->n_steps * PANEL;
  for (int64_t column = 0; column < PANEL; column++) {
    int64_t row = atl_linear_source_row(linear, i_panel, column);
    if (row < 0) continue;
    pack_column(linear, panel + column, spec->weight + row * linear->n_in);
    if (spec->bias != NULL) linear->bias[i_panel * PANEL + column] = spec->bias[row];
  }
}
