// TEST np=1
/* The benchmark on a tiny random model: everything asked for is measured once, under a name of its own. No timing is
 * judged here. */
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "model/bench/bench.h"
#include "model/random.h"
#include "tests/tap.h"

static bool has(const atl_bench_t *bench, const char *name) {
  for (size_t i = 0; i < bench->n_entries; i++)
    if (strcmp(bench->entries[i].name, name) == 0) return bench->entries[i].seconds > 0;
  return false;
}

static bool are_unique(const atl_bench_t *bench) {
  for (size_t i = 0; i < bench->n_entries; i++)
    for (size_t j = 0; j < i; j++)
      if (strcmp(bench->entries[i].name, bench->entries[j].name) == 0) return false;
  return true;
}

static void test_bench(const atl_model_t *model) {
  static const atl_backend_t backends[] = {ATL_BACKEND_AUTO, ATL_BACKEND_OPENBLAS};
  static const int64_t rows[] = {1, 5}, batches[] = {1, 3};
  atl_bench_t bench = {.dtype = ATL_F32, .seconds = 1e-4};
  TAP_STATUS(ATL_OK, atl_bench_init(&bench), "ceilings are measured");
  TAP_OK(bench.one.read_bytes > 0 && bench.one.f32_flops > 0 && bench.all.bf16_flops > 0, "and are numbers");
  TAP_STATUS(ATL_OK, atl_bench_linears(&bench, &model->transformer_config, backends, 2, rows, 2), "linear layers");
  TAP_STATUS(ATL_OK, atl_bench_layers(&bench, model, batches, 2), "layers");
  TAP_STATUS(ATL_OK, atl_bench_steps(&bench, model, batches, 2), "steps");
  TAP_STATUS(ATL_OK, atl_bench_sampling(&bench, &model->transformer_config), "draws");
  TAP_STATUS(ATL_OK, atl_bench_images(&bench, model), "images");
  TAP_OK(has(&bench, "linear net.0 auto rows=5") && has(&bench, "linear head openblas rows=1") &&
             has(&bench, "layer full batch=3 position=8") && has(&bench, "layer axial_row batch=1 position=8") &&
             has(&bench, "step batch=3 position=0") && has(&bench, "prefill tokens=9") &&
             has(&bench, "dvae decode pixels=16"),
         "everything asked for has a time");
  TAP_OK(are_unique(&bench), "under a name of its own");
  atl_bench_clear(&bench);
}

int main(void) {
  char folder[] = "/tmp/atelier-bench-XXXXXX", path[64];
  atl_model_t *model;
  if (mkdtemp(folder) == NULL) return 1;
  snprintf(path, sizeof path, "%s/model", folder);
  TAP_STATUS(ATL_OK, atl_random_model_write("tiny", ATL_F32, path), "a tiny model");
  if (TAP_STATUS(ATL_OK, atl_model_open(path, &model), "opens")) test_bench(model);
  atl_model_destroy(&model);
  TAP_STATUS(ATL_OK, atl_file_remove_directory(path), "gone");
  rmdir(folder);
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is given back");
  return tap_done();
}
