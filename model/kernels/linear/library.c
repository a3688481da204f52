/* Shared by the backends that call a library: weights gathered in packed order of columns, rows padded to LIBRARY_ROWS,
 * and the end of a panel that our own kernels use. */
#include <string.h>

#include "model/kernels/linear/linear_private.h"

static void gather(atl_linear_t *linear, const atl_linear_spec_t *spec, float *weight, int64_t n_columns) {
  for (int64_t column = 0; column < n_columns; column++) {
    int64_t row = atl_linear_source_row(linear, column / PANEL, column % PANEL);
    if (row < 0) continue;
    memcpy(weight + column * linear->n_in, spec->weight + row * linear->n_in, (size_t)linear->n_in * sizeof *weight);
    if (spec->bias != NULL) linear->bias[column] = spec->bias[row];
  }
}

atl_status_t atl_linear_library_fill(atl_linear_t *linear, const atl_linear_spec_t *spec) {
  int64_t n_columns = linear->n_panels * PANEL;
  float *weight;
  ATL_TRY(ATL_TAKE(&linear->arena, LIBRARY_ROWS * n_columns, &linear->sums));
  ATL_TRY(atl_arena_take(&linear->arena, (size_t)(LIBRARY_ROWS * linear->n_in), sizeof(float), &linear->rows));
  ATL_TRY(ATL_NEW(n_columns * linear->n_in, &weight));
  gather(linear, spec, weight, n_columns);
  atl_status_t status = linear->ops->init(linear, &weight, n_columns);
  ATL_DESTROY(&weight);
  return status;
}

void atl_linear_library_apply(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx,
                              int64_t n_rows, const atl_epilogue_t *epilogue) {
  size_t row_bytes = (size_t)linear->n_in * atl_dtype_bytes(linear->dtype);
  char *rows = linear->rows;
  for (int64_t m = 0; m < n_rows; m++)
    atl_linear_round_row(linear->dtype, rows + (size_t)m * row_bytes, x + m * ldx, linear->n_in);
  memset(rows + (size_t)n_rows * row_bytes, 0, (size_t)(LIBRARY_ROWS - n_rows) * row_bytes);
  linear->ops->run(linear);
#pragma omp parallel for schedule(static)
  for (int64_t i_panel = 0; i_panel < linear->n_panels; i_panel++)
    atl_linear_finish(linear, y, ldy, linear->sums + i_panel * PANEL, linear->n_panels * PANEL, i_panel, n_rows,
                      epilogue);
}
