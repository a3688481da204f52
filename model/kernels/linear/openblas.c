/* OpenBLAS as a linear backend: each call uses one thread, a fixed slice of columns and always the same number of rows,
 * so neither the number of threads nor the number of rows changes the order of a sum. A row's position among them may:
 * the Haswell kernel takes rows by 6, 4 and 2, and adds in another order in each. */
#include <cblas.h>
#include <stdio.h>

#include "model/kernels/linear/linear_private.h"

enum { SLICE_COLUMNS = 8 * PANEL };

struct library {
  float *weight; /* (n_columns,I), owned */
  int64_t n_columns;
};

static atl_status_t init(atl_linear_t *linear, float **weight, int64_t n_columns) {
  ATL_TRY(ATL_TAKE(&linear->arena, 1, &linear->library));
  *linear->library = (library_t){*weight, n_columns};
  *weight = NULL;
  openblas_set_num_threads(1);
  return ATL_OK;
}

static void run(const atl_linear_t *linear) {
  const library_t *blas = linear->library;
  int n_in = (int)linear->n_in, ld = (int)blas->n_columns;
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < blas->n_columns; first += SLICE_COLUMNS) {
    int64_t rest = blas->n_columns - first;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, LIBRARY_ROWS,
                (int)(rest < SLICE_COLUMNS ? rest : SLICE_COLUMNS), n_in, 1, linear->rows, n_in,
                blas->weight + first * n_in, n_in, 0, linear->sums + first, ld);
  }
}

static void clear(atl_linear_t *linear) {
  if (linear->library != NULL) ATL_DESTROY(&linear->library->weight);
}

const atl_linear_ops_t atl_linear_openblas_f32 = {
    .lacks = atl_cpu_lacks_nothing, .init = init, .run = run, .clear = clear};

const char *atl_backend_describe_openblas(char *text, size_t text_bytes) {
  char version[64] = "";
  const char *config = openblas_get_config();
  sscanf(config, "OpenBLAS %63s", version);
  snprintf(text, text_bytes, "OpenBLAS %s %s", version, openblas_get_corename());
  return text;
}
