#include "model/perf/bench/bench.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "common/timer.h"
#include "model/kernels/cpu.h"

enum { MIN_LAPS = 3, MAX_LAPS = 10000 };

bool atl_laps_next(atl_laps_t *laps) {
  double now = atl_timer_now();
  if (laps->n_laps == 0) laps->start = now;
  if (laps->n_laps > 0) {
    double seconds = (now - laps->lap) / (double)laps->n_items;
    if (laps->n_laps == 1 || seconds < laps->best) laps->best = seconds;
  }
  laps->n_laps++;
  laps->n_items = 1;
  laps->lap = now;
  return laps->n_laps <= MIN_LAPS || (laps->n_laps <= MAX_LAPS && now - laps->start < laps->budget);
}

void atl_laps_restart(atl_laps_t *laps) { laps->lap = atl_timer_now(); }

/* All threads together can do at least what one can. */
static void raise_ceiling(atl_ceiling_t *all, const atl_ceiling_t *one) {
  if (all->read_bytes < one->read_bytes) {
    all->read_bytes = one->read_bytes;
    all->read_way = one->read_way;
  }
  if (all->f32_flops < one->f32_flops) all->f32_flops = one->f32_flops;
  if (all->bf16_flops < one->bf16_flops) all->bf16_flops = one->bf16_flops;
}

atl_status_t atl_bench_init(atl_bench_t *bench) {
  bench->n_threads = omp_get_max_threads();
  if (bench->cache_bytes == 0) bench->cache_bytes = atl_cpu_cache_bytes();
  if (bench->working_set_bytes == 0) bench->working_set_bytes = atl_ceiling_working_set(bench->cache_bytes);
  atl_ceiling_t *one = &bench->one, *all = &bench->all;
  ATL_TRY(atl_ceiling_get(1, bench->working_set_bytes, one));
  *all = *one;
  if (bench->n_threads > 1) ATL_TRY(atl_ceiling_get(bench->n_threads, bench->working_set_bytes, all));
  raise_ceiling(all, one);
  return ATL_OK;
}

atl_status_t atl_bench_finish(atl_bench_t *bench) {
  return atl_ceiling_get(bench->n_threads, bench->working_set_bytes, &bench->end);
}

void atl_bench_clear(atl_bench_t *bench) {
  ATL_DESTROY(&bench->entries);
  ATL_DESTROY(&bench->jobs);
  bench->n_entries = bench->capacity = bench->n_jobs = 0;
}

atl_roof_t atl_bench_roof(const atl_bench_t *bench) {
  return (atl_roof_t){.flops = bench->dtype == ATL_BF16 ? bench->all.bf16_flops : bench->all.f32_flops,
                      .bytes = bench->all.read_bytes};
}

const atl_bench_entry_t *atl_bench_find(const atl_bench_t *bench, const char *name) {
  for (size_t i = 0; i < bench->n_entries; i++)
    if (strcmp(bench->entries[i].name, name) == 0) return &bench->entries[i];
  return NULL;
}

atl_status_t atl_bench_add(atl_bench_t *bench, double seconds, const atl_bound_t *bound, const char *format, ...) {
  if (bench->n_entries == bench->capacity) {
    size_t capacity = bench->capacity == 0 ? 64 : 2 * bench->capacity;
    ATL_TRY(ATL_RESIZE(capacity, &bench->entries));
    bench->capacity = capacity;
  }
  atl_bench_entry_t *entry = &bench->entries[bench->n_entries++];
  *entry = (atl_bench_entry_t){.seconds = seconds};
  if (bound != NULL) entry->bound = *bound;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(entry->name, sizeof entry->name, format, arguments);
  va_end(arguments);
  return ATL_OK;
}

atl_status_t atl_bench_jobs(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                            int n_batches) {
  atl_roof_t roof = atl_bench_roof(bench);
  for (int i = 0; i < n_batches; i++) {
    ATL_TRY(ATL_RESIZE(bench->n_jobs + 1, &bench->jobs));
    const atl_roofline_part_t part = {.end_layer = config->n_layers,
                                      .has_head = true,
                                      .n_samples = (int32_t)batches[i],
                                      .dtype = bench->dtype,
                                      .kv = bench->kv};
    bench->jobs[bench->n_jobs++] =
        (atl_bench_job_t){batches[i], atl_config_image_length(config), atl_roofline_image(&roof, config, &part)};
  }
  return ATL_OK;
}
