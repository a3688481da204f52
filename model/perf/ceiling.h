/* Ceiling: this machine's measured peaks, bytes/s read from memory and FLOP/s in registers. `atelier bench` compares
 * the kernels with them.
 *
 *     atl_ceiling_t all;
 *     ATL_TRY(atl_ceiling_get(omp_get_max_threads(), atl_ceiling_working_set(atl_cpu_cache_bytes()), &all));
 *
 * Each figure is the best of many short runs, because other work on the machine only ever slows one down, and of
 * several access patterns or instructions, because a kernel must not exceed its ceiling by one that was not tried. Runs
 * use `n_threads` OpenMP threads at once; figures are totals of all threads. All functions are local. */
#ifndef ATL_MODEL_PERF_CEILING_H
#define ATL_MODEL_PERF_CEILING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

typedef struct {
  double read_bytes;       /* bytes/s read from memory, in the best run */
  double usual_read_bytes; /* the median run; far below the best when other guests use the memory */
  double f32_flops;        /* FLOP/s of fp32 fused multiply-adds in registers */
  double bf16_flops;       /* FLOP/s of bf16 pairs summed in fp32; f32_flops where no instruction does that */
  const char *read_way, *f32_instruction,
      *bf16_instruction; /* the fastest access pattern and instructions; static strings */
} atl_ceiling_t;

/* Takes about half a second, plus the time to read the working set 6 to 18 times. MEMORY if a buffer of
 * working_set_bytes cannot be allocated. */
atl_status_t atl_ceiling_get(int n_threads, size_t working_set_bytes, atl_ceiling_t *ceiling);

enum { ATL_LEAST_WORKING_SET = 256 << 20, ATL_MOST_WORKING_SET = 1 << 30 };

/* Bytes to go through before anything is read again: four times the last-level caches, so that no cache still holds the
 * first bytes by then, but at least 256 MiB and at most 1 GiB. */
size_t atl_ceiling_working_set(size_t cache_bytes);
/* True if caches of this size may still hold a part of such a working set when it is read again. Rates of reading are
 * then too high. */
bool atl_ceiling_is_cached(size_t working_set_bytes, size_t cache_bytes);

#endif
