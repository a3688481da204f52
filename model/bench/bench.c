#include "model/bench/bench.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/memory.h"
#include "common/timer.h"

enum { MIN_LAPS = 3, MAX_LAPS = 10000 };

bool atl_laps_next(atl_laps_t *laps) {
  double now = atl_timer_now();
  if (laps->n_laps++ == 0) {
    laps->start = laps->lap = now;
    return true;
  }
  double seconds = now - laps->lap;
  if (laps->n_laps == 2 || seconds < laps->best) laps->best = seconds;
  laps->lap = now;
  return laps->n_laps <= MIN_LAPS || (laps->n_laps <= MAX_LAPS && now - laps->start < laps->budget);
}

atl_status_t atl_bench_init(atl_bench_t *bench) {
  bench->n_threads = omp_get_max_threads();
  bench->entries = NULL;
  bench->n_entries = bench->capacity = 0;
  ATL_TRY(atl_ceiling_get(1, &bench->one));
  return atl_ceiling_get(bench->n_threads, &bench->all);
}

void atl_bench_clear(atl_bench_t *bench) {
  ATL_DESTROY(&bench->entries);
  bench->n_entries = bench->capacity = 0;
}

atl_status_t atl_bench_add(atl_bench_t *bench, double seconds, double flops, double bytes, const char *format, ...) {
  if (bench->n_entries == bench->capacity) {
    size_t capacity = bench->capacity == 0 ? 64 : 2 * bench->capacity;
    ATL_TRY(ATL_RESIZE(capacity, &bench->entries));
    bench->capacity = capacity;
  }
  atl_bench_entry_t *entry = &bench->entries[bench->n_entries++];
  *entry = (atl_bench_entry_t){.seconds = seconds, .flops = flops, .bytes = bytes};
  double compute = flops / (bench->dtype == ATL_BF16 ? bench->all.bf16_flops : bench->all.f32_flops);
  double reading = bytes / bench->all.read_bytes;
  entry->bound_seconds = compute > reading ? compute : reading;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(entry->name, sizeof entry->name, format, arguments);
  va_end(arguments);
  return ATL_OK;
}
