// TEST np=1
/* The benchmark on a tiny random model: everything asked for is measured once, under a unique name. Times are not
 * judged. */
#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "model/checkpoint/random.h"
#include "model/perf/bench/bench.h"
#include "tests/support/tap.h"

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

static bool is_share(double bound, double seconds) { return isfinite(bound / seconds) && bound / seconds > 0; }

/* Entries with a bound have finite shares, and the bound by kernel is not below the roofline. */
static bool are_sane(const atl_bench_t *bench) {
  for (size_t i = 0; i < bench->n_entries; i++) {
    const atl_bench_entry_t *e = &bench->entries[i];
    if (!isfinite(e->seconds) || e->seconds <= 0 || !isfinite(e->of_step) || e->of_step < 0) return false;
    if (e->bound.seconds == 0) continue;
    if (!is_share(e->bound.seconds, e->seconds) || e->bound.by_kernel_seconds < e->bound.seconds * (1 - 1e-12))
      return false;
  }
  return true;
}

static void measure_all(atl_bench_t *bench, const atl_model_t *model) {
  static const atl_backend_t backends[] = {ATL_BACKEND_AUTO, ATL_BACKEND_OPENBLAS};
  static const int64_t rows[] = {1, 5}, batches[] = {1, 3};
  const atl_transformer_config_t *config = &model->transformer_config;
  TAP_STATUS(ATL_OK, atl_bench_init(bench), "ceilings are measured");
  TAP_STATUS(ATL_OK, atl_bench_linears(bench, config, backends, 2, rows, 2), "linear layers are measured");
  TAP_STATUS(ATL_OK, atl_bench_attention(bench, config, batches, 2), "attention is measured");
  TAP_STATUS(ATL_OK, atl_bench_layers(bench, model, batches, 2), "layers are measured");
  TAP_STATUS(ATL_OK, atl_bench_steps(bench, model, batches, 2), "steps are measured");
  TAP_STATUS(ATL_OK, atl_bench_sampling(bench, config, batches, 2), "draws are measured");
  TAP_STATUS(ATL_OK, atl_bench_images(bench, model), "images are measured");
  TAP_STATUS(ATL_OK, atl_bench_jobs(bench, config, batches, 2), "jobs get their bounds");
}

static void test_bench(const atl_model_t *model) {
  atl_bench_t bench = {.dtype = ATL_F32, .seconds = 1e-4, .working_set_bytes = 1 << 20, .cache_bytes = 1 << 30};
  measure_all(&bench, model);
  TAP_STATUS(ATL_OK, atl_bench_finish(&bench), "ceilings are measured again at the end");
  TAP_OK(bench.end.read_bytes > 0 && bench.end.bf16_flops > 0, "ceilings at the end are above 0");
  TAP_OK(bench.all.read_bytes >= bench.one.read_bytes && bench.all.bf16_flops >= bench.one.bf16_flops,
         "ceilings of all threads are not below those of one");
  TAP_OK(has(&bench, "linear net.0 auto rows=5") && has(&bench, "linear head openblas rows=1") &&
             has(&bench, "attention axial_row batch=3 position=10") && has(&bench, "softmax rows=3 keys=17") &&
             has(&bench, "layer full batch=3 position=8") && has(&bench, "layer axial_row batch=1 position=8") &&
             has(&bench, "step batch=3 position=0") && has(&bench, "prefill tokens=9") &&
             has(&bench, "draw top-k=256 codes=64 batch=3") && has(&bench, "dvae decode pixels=16"),
         "everything asked for has a time");
  TAP_OK(atl_bench_find(&bench, "linear head openblas rows=1")->is_cached &&
             atl_bench_find(&bench, "attention axial_row batch=3 position=10")->is_cached,
         "entries that caches of 1 GiB may hold are marked");
  TAP_OK(are_unique(&bench), "names are unique");
  TAP_OK(are_sane(&bench), "shares are finite and positive");
  TAP_OK(atl_bench_find(&bench, "draw all codes=64 batch=3")->of_step > 0, "draws have a share of a step");
  TAP_OK(bench.n_jobs == 2 && bench.jobs[1].batch == 3 && bench.jobs[1].n_positions == 16 &&
             is_share(bench.jobs[1].step.seconds, bench.jobs[1].step.by_kernel_seconds),
         "a job has a bound");
  atl_bench_clear(&bench);
}

static void test_laps(void) {
  int n = 0;
  atl_laps_t laps = {.budget = 0};
  for (; atl_laps_next(&laps); n++) {
    atl_laps_restart(&laps);
    laps.n_items = 1000000000;
  }
  TAP_OK(n == 3 && laps.best < 1e-3, "at least three laps; the best time is that of one item"); /* of 10^9 */
}

int main(void) {
  test_laps();
  char folder[] = "/tmp/atelier-bench-XXXXXX", path[64];
  atl_model_t *model;
  if (mkdtemp(folder) == NULL) return 1;
  snprintf(path, sizeof path, "%s/model", folder);
  TAP_STATUS(ATL_OK, atl_random_model_write(&(atl_random_model_t){.shape = "tiny", .directory = path}),
             "a tiny model is written");
  if (TAP_STATUS(ATL_OK, atl_model_open(path, &model), "the model opens")) test_bench(model);
  atl_model_destroy(&model);
  TAP_STATUS(ATL_OK, atl_file_remove_directory(path), "the model is removed");
  rmdir(folder);
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
