/* Ceiling: how fast this machine can read memory and multiply, measured. What `atelier bench` holds the kernels
 * against.
 *
 *     atl_ceiling_t all;
 *     ATL_TRY(atl_ceiling_get(omp_get_max_threads(), atl_ceiling_working_set(atl_cpu_cache_bytes()), &all));
 *
 * Each number is the best of many short runs, because other work on the machine only ever slows one down, and of
 * several ways: a kernel is not to pass its ceiling by reading, or multiplying, in a way that was not tried. Runs on
 * `n_threads` OpenMP threads at once; rates are of all of them together.
 */
#ifndef ATL_MODEL_PERF_CEILING_H
#define ATL_MODEL_PERF_CEILING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

typedef struct {
  double read_bytes;       /* bytes a second read from memory */
  double usual_read_bytes; /* the median instead of the best: far below it, neighbours take their share */
  double f32_flops;        /* fp32 multiplications and additions a second, fused, in registers */
  double bf16_flops; /* the same of bf16 pairs summed in fp32; of fp32 where the processor has no such instruction */
  const char *read_way, *f32_instruction, *bf16_instruction; /* that was fastest; constants */
} atl_ceiling_t;

/* MEMORY when working_set_bytes of buffer cannot be had. About half a second, and as long as it takes to read the
 * working set a dozen times. */
atl_status_t atl_ceiling_get(int n_threads, size_t working_set_bytes, atl_ceiling_t *ceiling);

enum { ATL_LEAST_WORKING_SET = 256 << 20, ATL_MOST_WORKING_SET = 1 << 30 };

/* Bytes to go through before anything is read again: four times the last-level caches, so that none holds any of the
 * first when it comes again, but from 256 MiB to 1 GiB. */
size_t atl_ceiling_working_set(size_t cache_bytes);
/* May caches of this size hold a part of such a working set when it comes again? Then rates of reading are too high. */
bool atl_ceiling_is_cached(size_t working_set_bytes, size_t cache_bytes);

#endif
