/* Weights stream through the caches once per call: for each panel and each block of steps, all groups of rows use the
 * block while it is in L1. Between blocks, sums are stored and reloaded in fp32, which changes no bit, so a row's sum
 * is one chain over i whatever the blocking, the row's position or the number of threads.
 *
 * Threads divide the panels among themselves: no sum is ever split. */
#include "model/kernels/linear/linear.h"

#include <string.h>

#include "common/round.h"
#include "model/kernels/activation/activation.h"
#include "model/kernels/lanes.h"
#include "model/kernels/linear/linear_private.h"

static bool is_library(const atl_linear_t *linear) { return linear->ops->run != NULL; }

static atl_status_t take_memory(atl_linear_t *linear) {
  ATL_TRY(ATL_TAKE(&linear->arena, linear->n_panels * linear->n_steps * PANEL, &linear->weights));
  return ATL_TAKE(&linear->arena, linear->n_blocks * CHUNK_ROWS * BLOCK_STEPS, &linear->x);
}

static void set_sizes(atl_linear_t *linear, const atl_linear_spec_t *spec) {
  bool is_geglu = spec->activation == ATL_ACTIVATION_GEGLU;
  linear->ops = atl_backend_linear(spec->backend, spec->dtype);
  linear->dtype = spec->dtype;
  linear->activation = spec->activation;
  linear->n_in = spec->n_in;
  linear->n_results = is_geglu ? spec->n_out / 2 : spec->n_out;
  linear->panel_results = is_geglu ? PANEL / 2 : PANEL;
  linear->n_panels = (linear->n_results + linear->panel_results - 1) / linear->panel_results;
  linear->n_steps = atl_round_up(spec->n_in, items_per_step(spec->dtype)) / items_per_step(spec->dtype);
  if (linear->ops->tile_steps > 0) linear->n_steps = atl_round_up(linear->n_steps, linear->ops->tile_steps);
  linear->n_blocks = (linear->n_steps + BLOCK_STEPS - 1) / BLOCK_STEPS;
}

static void pack(atl_linear_t *linear, const atl_linear_spec_t *spec) {
#pragma omp parallel for schedule(static)
  for (int64_t i_panel = 0; i_panel < linear->n_panels; i_panel++) atl_linear_pack_panel(linear, spec, i_panel);
}

static atl_status_t fill(atl_linear_t *linear, const atl_linear_spec_t *spec) {
  set_sizes(linear, spec);
  ATL_TRY(ATL_TAKE(&linear->arena, linear->n_panels * PANEL, &linear->bias));
  if (is_library(linear)) return atl_linear_library_fill(linear, spec);
  ATL_TRY(take_memory(linear));
  pack(linear, spec);
  return ATL_OK;
}

atl_status_t atl_linear_repack(atl_linear_t *linear, const float *weight, const float *bias) {
  ATL_CHECK(!is_library(linear), UNSUPPORTED,
            "a linear layer of a library's backend cannot be repacked; try the backend auto");
  pack(linear, &(atl_linear_spec_t){.weight = weight, .bias = bias});
  return ATL_OK;
}

atl_status_t atl_linear_new(const atl_linear_spec_t *spec, atl_linear_t **linear) {
  *linear = NULL;
  ATL_CHECK(spec->n_out > 0 && spec->n_in > 0 && spec->n_out < INT32_MAX && spec->n_in < INT32_MAX, INPUT,
            "a linear layer needs 1 to 2147483646 outputs and inputs, found %lld and %lld", (long long)spec->n_out,
            (long long)spec->n_in);
  ATL_CHECK(spec->activation != ATL_ACTIVATION_GEGLU || spec->n_out % 2 == 0, INPUT,
            "a GEGLU layer needs an even number of rows, values and gates, found %lld", (long long)spec->n_out);
  ATL_CHECK(atl_backend_is_available(spec->backend, spec->dtype), UNSUPPORTED,
            "backend %s does not run %s on this processor; try auto", atl_backend_name(spec->backend),
            atl_dtype_name(spec->dtype));
  ATL_TRY(ATL_NEW(1, linear));
  atl_status_t status = fill(*linear, spec);
  if (status != ATL_OK) atl_linear_destroy(linear);
  return status;
}

void atl_linear_destroy(atl_linear_t **linear) {
  if (*linear == NULL) return;
  if (is_library(*linear)) (*linear)->ops->clear(*linear);
  atl_arena_clear(&(*linear)->arena);
  ATL_DESTROY(linear);
}

size_t atl_linear_bytes(const atl_linear_t *linear) {
  if (is_library(linear)) return (size_t)(linear->n_panels * PANEL * linear->n_in) * atl_dtype_bytes(linear->dtype);
  return (size_t)(linear->n_panels * linear->n_steps * PANEL) * sizeof *linear->weights;
}

size_t atl_linear_get_bytes(const atl_linear_spec_t *spec) {
  atl_linear_t linear = {0};
  set_sizes(&linear, spec);
  size_t n_words =
      (size_t)(linear.n_panels * PANEL * (linear.n_steps + 1) + linear.n_blocks * BLOCK_STEPS * CHUNK_ROWS);
  return sizeof linear + n_words * sizeof *linear.weights;
}

ATL_LANES_CLONES static void add_bias(float *sums, int64_t ld_sums, const float *bias, int64_t n_rows) {
  for (int64_t m = 0; m < n_rows; m++)
    for (int j = 0; j < PANEL; j += ATL_LANES)
      lanes_store(sums + m * ld_sums + j, lanes_load(sums + m * ld_sums + j) + lanes_load(bias + j));
}

static void activate(float *sums, int64_t ld_sums, int64_t n_rows, atl_activation_t activation) {
  if (activation == ATL_ACTIVATION_GEGLU) {
    atl_activation_geglu(sums, ld_sums, n_rows, PANEL / 2);
    return;
  }
  for (float *row = sums; row < sums + n_rows * ld_sums; row += ld_sums)
    atl_activation_apply(row, row, PANEL, activation);
}

/* y(n) <- residual(n) + scale(n) * (value(n) + bias(n)); bias, scale and residual may be NULL. value and bias have room
 * for PANEL floats. */
ATL_LANES_INLINE void write_row(float *y, const float *value, int64_t n, const float *bias, const float *scale,
                                const float *residual) {
  int64_t j = 0;
  for (; j + ATL_LANES <= n; j += ATL_LANES) {
    atl_lanes_t lanes = lanes_load(value + j);
    if (bias != NULL) lanes += lanes_load(bias + j);
    if (scale != NULL) lanes *= lanes_load(scale + j);
    if (residual != NULL) lanes += lanes_load(residual + j);
    lanes_store(y + j, lanes);
  }
  if (j == n) return;
  atl_lanes_t tail = lanes_load(value + j);
  if (bias != NULL) tail += lanes_load(bias + j);
  if (scale != NULL) tail *= lanes_load_tail(scale + j, n - j, 0);
  if (residual != NULL) tail += lanes_load_tail(residual + j, n - j, 0);
  lanes_store_tail(y + j, tail, n - j);
}

ATL_LANES_CLONES static void write_rows(float *y, int64_t ldy, const float *values, int64_t ld_values, int64_t n,
                                        int64_t n_rows, const float *bias, const float *scale, const float *residual,
                                        int64_t ld_residual) {
  for (int64_t m = 0; m < n_rows; m++)
    write_row(y + m * ldy, values + m * ld_values, n, bias, scale,
              residual == NULL ? NULL : residual + m * ld_residual);
}

void atl_linear_finish(const atl_linear_t *linear, float *y, int64_t ldy, float *sums, int64_t ld_sums, int64_t i_panel,
                       int64_t n_rows, const atl_epilogue_t *epilogue) {
  int64_t first = i_panel * linear->panel_results, rest = linear->n_results - first;
  int64_t n = rest < linear->panel_results ? rest : linear->panel_results;
  const float *scale = epilogue->scale == NULL ? NULL : epilogue->scale + first;
  const float *residual = epilogue->residual == NULL ? NULL : epilogue->residual + first;
  const float *bias = linear->bias + i_panel * PANEL;
  if (linear->activation != ATL_ACTIVATION_NONE) {
    add_bias(sums, ld_sums, bias, n_rows);
    activate(sums, ld_sums, n_rows, linear->activation);
    bias = NULL;
  }
  write_rows(y + first, ldy, sums, ld_sums, n, n_rows, bias, scale, residual, epilogue->ld_residual);
}

/* How the rows of a chunk are divided: as few groups as possible, of nearly equal height. */
typedef struct {
  int64_t n_rows, n_groups;
} cut_t;

static int64_t first_row(cut_t cut, int64_t i_group) { return i_group * cut.n_rows / cut.n_groups; }

static uint32_t *packed_row(const atl_linear_t *linear, int64_t i_block, int64_t row) {
  return linear->x + (i_block * CHUNK_ROWS + row) * BLOCK_STEPS;
}

/* One group reads its weights front to back and prefetches them into L2, 16 KiB ahead, or 1 KiB for fewer than 6 rows.
 * Of several groups, each prefetches its share of the next block into L1, and the first also the block after the next
 * into L2. Measured: docs/speed.md. */
static prefetch_t choose_prefetch(const uint32_t *block, int64_t n_steps, cut_t cut, int64_t i_group) {
  const char *here = (const char *)block;
  if (cut.n_groups == 1) return (prefetch_t){here, 0, cut.n_rows < 6 ? 1024 : 16384};
  int64_t block_bytes = n_steps * STEP_BYTES, share = block_bytes / cut.n_groups;
  return (prefetch_t){here + block_bytes + i_group * share, share / n_steps, i_group == 0 ? 2 * block_bytes : 0};
}

static void run_panel(const atl_linear_t *linear, float *sums, cut_t cut, int64_t i_panel) {
  const uint32_t *block = linear->weights + i_panel * linear->n_steps * PANEL;
  for (int64_t i_block = 0; i_block < linear->n_blocks; i_block++, block += BLOCK_STEPS * PANEL) {
    int64_t rest = linear->n_steps - i_block * BLOCK_STEPS, n_steps = rest < BLOCK_STEPS ? rest : BLOCK_STEPS;
    for (int64_t i = 0; i < cut.n_groups; i++) {
      int64_t first = first_row(cut, i), n = first_row(cut, i + 1) - first;
      linear->ops->tile(sums + first * PANEL, block, packed_row(linear, i_block, first), n_steps, (int)n,
                        choose_prefetch(block, n_steps, cut, i));
    }
  }
}

static void apply_chunk(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n_rows,
                        const atl_epilogue_t *epilogue) {
  cut_t cut = {n_rows, (n_rows + linear->ops->group_rows - 1) / linear->ops->group_rows};
#pragma omp parallel
  {
#pragma omp for collapse(2) schedule(static)
    for (int64_t m = 0; m < n_rows; m++)
      for (int64_t i = 0; i < linear->n_blocks; i++)
        atl_linear_pack_block(linear, packed_row(linear, i, m), x + m * ldx, i);
#pragma omp for schedule(static)
    for (int64_t i_panel = 0; i_panel < linear->n_panels; i_panel++) {
      _Alignas(64) float sums[CHUNK_ROWS * PANEL];
      memset(sums, 0, (size_t)n_rows * PANEL * sizeof *sums);
      run_panel(linear, sums, cut, i_panel);
      atl_linear_finish(linear, y, ldy, sums, PANEL, i_panel, n_rows, epilogue);
    }
  }
}

void atl_linear_apply(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n_rows,
                      const atl_epilogue_t *epilogue) {
  int64_t chunk_rows = is_library(linear) ? LIBRARY_ROWS : CHUNK_ROWS;
  for (int64_t m = 0; m < n_rows; m += chunk_rows) {
    atl_epilogue_t here = epilogue != NULL ? *epilogue : (atl_epilogue_t){0};
    if (here.residual != NULL) here.residual += m * here.ld_residual;
    int64_t n = n_rows - m < chunk_rows ? n_rows - m : chunk_rows;
    if (is_library(linear))
      atl_linear_library_apply(linear, y + m * ldy, ldy, x + m * ldx, ldx, n, &here);
    else
      apply_chunk(linear, y + m * ldy, ldy, x + m * ldx, ldx, n, &here);
  }
}
