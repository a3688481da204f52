/* Linear, internal: one module in several sources that share this header. linear.c is the layer and its public
 * functions, pack.c the packed order, library.c the common part of the backends that call a library; plain.c, avx2.c,
 * avx512.c, amx.c, openblas.c and onednn.c each hold the operations of one backend, which the registry
 * (model/kernels/backend.c) names.
 *
 * Packed order. Outputs are divided into panels of PANEL columns, and a panel holds its weights step by step: a step is
 * one 4-byte word per column, either one fp32 weight (i) or a pair of bf16 weights (i even in the low half, i+1 in the
 * high half). A chunk of rows reads each panel front to back exactly once. With GEGLU a panel is PANEL/2 values, then
 * the PANEL/2 gates of the same outputs, so that the end of the panel can combine them. Columns and halves beyond the
 * end are zero.
 *
 * Packed x. The rows of a chunk lie block by block of steps, (n_blocks, CHUNK_ROWS, BLOCK_STEPS) words, so that a
 * tile's rows are neighbours in a few KiB whatever I is and never compete for the same cache sets. */
#ifndef ATL_MODEL_KERNELS_LINEAR_LINEAR_PRIVATE_H
#define ATL_MODEL_KERNELS_LINEAR_LINEAR_PRIVATE_H

#include "common/arena.h"
#include "model/kernels/backend_private.h"
#include "model/kernels/cpu.h"
#include "model/kernels/linear/linear.h"

enum {
  PANEL = 32,             /* columns */
  STEP_BYTES = PANEL * 4, /* two cache lines */
  LIBRARY_ROWS = 32,      /* rows in every call of a library */
  CHUNK_ROWS = 96,        /* rows that are packed and multiplied together */
  BLOCK_STEPS = 256,      /* steps between stores of the sums: 32 KiB of weights, used by all groups while in L1 */
};

/* What to prefetch while a tile runs. Into L1: a line at `near`, which advances by near_stride bytes per step. Into L2:
 * the tile's own weights, far_bytes before they are used. Measured: docs/speed.md. */
typedef struct {
  const char *near;
  int64_t near_stride, far_bytes;
} prefetch_t;

/* Prefetches for step s of a tile, whose weights are at w. Always inlined: GCC takes a function that only prefetches
 * for one without effect and drops its calls. */
static inline __attribute__((always_inline)) void prefetch_step(const void *w, int64_t s, prefetch_t prefetch) {
  const char *far = (const char *)w + prefetch.far_bytes;
  __builtin_prefetch(prefetch.near + s * prefetch.near_stride, 0, 3);
  __builtin_prefetch(far, 0, 2);
  __builtin_prefetch(far + 64, 0, 2);
}

/* sums(n_rows,PANEL) += x(n_rows,n_steps) . w(n_steps,PANEL), in order of steps. x and w are packed; rows of x lie
 * BLOCK_STEPS words apart. */
typedef void (*tile_t)(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                       prefetch_t prefetch);

typedef struct library library_t; /* what the backend of a library keeps for a layer: openblas.c, onednn.c */

/* A backend's linear layers of one dtype: either a tile or the calls of a library. All zero: not built. */
struct atl_linear_ops {
  const char *(*lacks)(void); /* the feature this CPU lacks; NULL when none */

  tile_t tile;
  int group_rows; /* largest number of rows of a tile */
  int tile_steps; /* a layer's steps are padded to a multiple of this; 0 means 1 */

  /* A library computes sums(LIBRARY_ROWS,n_columns) = rows(LIBRARY_ROWS,I) . W(n_columns,I)^T. weight is fp32, its
   * columns in packed order; a library that keeps it takes it and sets *weight to NULL. UNSUPPORTED, MEMORY. */
  atl_status_t (*init)(atl_linear_t *linear, float **weight, int64_t n_columns);
  void (*run)(const atl_linear_t *linear);
  void (*clear)(atl_linear_t *linear); /* also after a failed init */
};

struct atl_linear {
  atl_arena_t arena;
  int64_t n_results; /* width of y: O, or O/2 with GEGLU */
  int64_t n_in, n_steps, n_blocks, n_panels;
  int64_t panel_results; /* columns of y per panel: PANEL, or PANEL/2 with GEGLU */
  atl_dtype_t dtype;
  atl_activation_t activation;
  const atl_linear_ops_t *ops;
  float *bias;       /* (n_panels,PANEL) in packed order; zeros without a bias */
  uint32_t *weights; /* (n_panels,n_steps,PANEL) */
  uint32_t *x;       /* (n_blocks,CHUNK_ROWS,BLOCK_STEPS): packed x of the current chunk; scratch */

  /* The backends of libraries always compute LIBRARY_ROWS rows. Fewer are padded, because a library may sum in another
   * order when the number of rows changes. The order may still depend on a row's position among them. */
  library_t *library; /* NULL for own kernels */
  void *rows;         /* (LIBRARY_ROWS,I) of dtype; scratch */
  float *sums;        /* (LIBRARY_ROWS,n_panels*PANEL); scratch */
};

/* Row of W in column `column` of panel `i_panel`; -1 beyond the end. */
int64_t atl_linear_source_row(const atl_linear_t *linear, int64_t i_panel, int64_t column);
/* Writes a panel's columns of y: applies bias, activation, scale and residual to sums(n_rows,PANEL), rows ld_sums
 * apart. Overwrites sums. */
void atl_linear_finish(const atl_linear_t *linear, float *y, int64_t ldy, float *sums, int64_t ld_sums, int64_t i_panel,
                       int64_t n_rows, const atl_epilogue_t *epilogue);

/* library.c: what `new` and `apply` do with the backend of a library. */
atl_status_t atl_linear_library_fill(atl_linear_t *linear, const atl_linear_spec_t *spec);
void atl_linear_library_apply(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx,
                              int64_t n_rows, const atl_epilogue_t *epilogue);

/* pack.c. out(n) of dtype <- x(n). A pair of bf16 is one word, with i in the low half on a little-endian machine. */
void atl_linear_round_row(atl_dtype_t dtype, void *out, const float *x, int64_t n);
/* Packs the part of x(I) that block `i_block` covers into words(BLOCK_STEPS); returns its number of steps. */
int64_t atl_linear_pack_block(const atl_linear_t *linear, uint32_t *words, const float *x, int64_t i_block);
/* Packs the weights and bias of a panel from the rows of spec->weight and spec->bias. */
void atl_linear_pack_panel(atl_linear_t *linear, const atl_linear_spec_t *spec, int64_t i_panel);
static inline int64_t items_per_step(atl_dtype_t dtype) { return dtype == ATL_BF16 ? 2 : 1; }

/* The operations of the backends, for the registry; all zero when not built. */
extern const atl_linear_ops_t atl_linear_plain_f32, atl_linear_plain_bf16, atl_linear_avx2_f32, atl_linear_avx2_bf16,
    atl_linear_avx512_f32, atl_linear_avx512_bf16, atl_linear_amx_bf16, atl_linear_openblas_f32, atl_linear_onednn_f32,
    atl_linear_onednn_bf16;

#endif
