/* Linear, inside: what model/kernels/linear*.c share and nobody else may include.
 *
 * Packed order. Outputs are cut into panels of PANEL columns, and a panel holds its weights step by step: a step is
 * one 4-byte word a column, either one fp32 weight (i) or a pair of bf16 weights (i even in the low half, i+1 in the
 * high half). A panel is read front to back exactly once an application. With GEGLU a panel is PANEL/2 values, then the
 * PANEL/2 gates of the same outputs, so that its end can combine them. Columns and halves beyond the end are zero.
 *
 * Packed x. Rows of a chunk lie block by block of steps, (n_blocks, CHUNK_ROWS, BLOCK_STEPS) words, so that a tile's
 * rows are neighbours in a few KiB whatever I is, and never compete for the same cache sets.
 */
#ifndef ATL_MODEL_KERNELS_LINEAR_PRIVATE_H
#define ATL_MODEL_KERNELS_LINEAR_PRIVATE_H

#include "common/arena.h"
#include "model/kernels/linear.h"

enum {
  PANEL = 32,             /* columns */
  STEP_BYTES = PANEL * 4, /* two cache lines */
  CHUNK_ROWS = 96,        /* rows whose packed x is held at once */
  BLOCK_STEPS = 256, /* steps between stores of the sums: 32 KiB of weights, used by all groups while they are near */
};

/* What to bring nearer while a tile runs. Into L1: a line at `near`, which moves on `near_stride` bytes a step. Into
 * L2: the tile's own weights, `far_bytes` before they are used. Measured: docs/speed.md. */
typedef struct {
  const char *near;
  int64_t near_stride, far_bytes;
} ahead_t;

/* sums(n_rows,PANEL) += x(n_rows,n_steps) . w(n_steps,PANEL), in order of steps; x and w packed, rows of x BLOCK_STEPS
 * apart. */
typedef void (*tile_t)(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows, ahead_t ahead);

typedef struct {
  tile_t tile;
  int group_rows;
} tiles_t;

struct atl_linear {
  atl_arena_t arena;
  int64_t n_results; /* width of y: O, or O/2 with GEGLU */
  int64_t n_in, n_steps, n_blocks, n_panels;
  int64_t panel_results; /* columns of y a panel gives: PANEL, or PANEL/2 with GEGLU */
  atl_dtype_t dtype;
  atl_backend_t backend;
  atl_activation_t activation;
  tiles_t tiles;
  float *bias;       /* (n_panels,PANEL), packed order; zeros without bias */
  uint32_t *weights; /* (n_panels,n_steps,PANEL) */
  uint32_t *x;       /* (n_blocks,CHUNK_ROWS,BLOCK_STEPS) packed x of the chunk in work; scratch */
};

/* Row of W that column `column` of panel `i_panel` holds; -1 beyond the end. */
int64_t linear_source_row(const atl_linear_t *linear, int64_t i_panel, int64_t column);
/* y <- bias, activation, scale and residual over sums(n_rows,PANEL), rows ld_sums apart, of one panel. */
void linear_finish(const atl_linear_t *linear, float *y, int64_t ldy, const float *sums, int64_t ld_sums,
                   int64_t i_panel, int64_t n_rows, const atl_epilogue_t *epilogue);

tiles_t linear_tiles_f32(atl_backend_t backend);
tiles_t linear_tiles_bf16(atl_backend_t backend);

#endif
