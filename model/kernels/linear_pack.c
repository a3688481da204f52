/* Packing: weights into panels once a layer, rows of x into blocks once a call. Rounding to bf16 happens here. */
#include <string.h>

#include "model/kernels/linear_private.h"

#if defined(__x86_64__)
#define ROUND_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ROUND_CLONES
#endif

int64_t linear_source_row(const atl_linear_t *linear, int64_t i_panel, int64_t column) {
  int64_t i_result = i_panel * linear->panel_results + column % linear->panel_results;
  if (i_result >= linear->n_results) return -1;
  return column < linear->panel_results ? i_result : linear->n_results + i_result;
}

typedef uint32_t bits_t __attribute__((vector_size(64)));
typedef uint16_t halves_t __attribute__((vector_size(32)));

/* out(n) <- x(n) rounded to bf16 as atl_bf16_from_f32 does it, 16 numbers at a time. */
ROUND_CLONES static void round_row(uint16_t *out, const float *x, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    bits_t bits, is_nan;
    memcpy(&bits, x + i, sizeof bits);
    is_nan = (bits_t)((bits & 0x7fffffffU) > 0x7f800000U);
    bits_t rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
    bits_t result = (is_nan & (bits >> 16 | 0x40U)) | (~is_nan & rounded);
    halves_t halves = __builtin_convertvector(result, halves_t);
    memcpy(out + i, &halves, sizeof halves);
  }
  for (; i < n; i++) out[i] = atl_bf16_from_f32(x[i]);
}

void linear_round_row(atl_dtype_t dtype, void *out, const float *x, int64_t n) {
  if (dtype == ATL_BF16)
    round_row(out, x, n);
  else
    memcpy(out, x, (size_t)n * sizeof *x);
}

int64_t linear_pack_block(const atl_linear_t *linear, uint32_t *words, const float *x, int64_t i_block) {
  int64_t block_items = BLOCK_STEPS * linear_items_per_step(linear->dtype), first = i_block * block_items;
  int64_t n = linear->n_in - first < block_items ? linear->n_in - first : block_items;
  if (linear->dtype == ATL_BF16 && n % 2 == 1) words[n / 2] = 0; /* the half beyond the end */
  linear_round_row(linear->dtype, words, x + first, n);
  return (n + linear_items_per_step(linear->dtype) - 1) / linear_items_per_step(linear->dtype);
}

static void pack_column(const atl_linear_t *linear, uint32_t *column, const float *weight) {
  uint32_t words[BLOCK_STEPS];
  for (int64_t i_block = 0; i_block < linear->n_blocks; i_block++) {
    int64_t n_steps = linear_pack_block(linear, words, weight, i_block);
    for (int64_t s = 0; s < n_steps; s++) column[(i_block * BLOCK_STEPS + s) * PANEL] = words[s];
  }
}

void linear_pack_panel(atl_linear_t *linear, const atl_linear_spec_t *spec, int64_t i_panel) {
  uint32_t *panel = linear->weights + i_panel * linear->n_steps * PANEL;
  for (int64_t column = 0; column < PANEL; column++) {
    int64_t row = linear_source_row(linear, i_panel, column);
    if (row < 0) continue;
    pack_column(linear, panel + column, spec->weight + row * linear->n_in);
    if (spec->bias != NULL) linear->bias[i_panel * PANEL + column] = spec->bias[row];
  }
}
