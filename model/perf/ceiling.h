/* Ceiling: how fast this machine can read memory and multiply, measured. What `atelier bench` holds the kernels
 * against.
 *
 *     atl_ceiling_t all;
 *     ATL_TRY(atl_ceiling_get(omp_get_max_threads(), &all));
 *
 * Each number is the best of many short runs, because other work on the machine only ever slows one down, and of
 * several ways: a kernel is not to pass its ceiling by reading, or multiplying, in a way that was not tried. Runs on
 * `n_threads` OpenMP threads at once; rates are of all of them together.
 */
#ifndef ATL_MODEL_PERF_CEILING_H
#define ATL_MODEL_PERF_CEILING_H

#include <stddef.h>

#include "common/status.h"

typedef struct {
  double read_bytes;       /* bytes a second read from memory */
  double usual_read_bytes; /* the median instead of the best: far below it, neighbours take their share */
  double f32_flops;        /* fp32 multiplications and additions a second, fused, in registers */
  double bf16_flops; /* the same of bf16 pairs summed in fp32; of fp32 where the processor has no such instruction */
  const char *read_way, *f32_instruction, *bf16_instruction; /* that was fastest; constants */
} atl_ceiling_t;

/* MEMORY when the buffer read (far larger than caches) cannot be had. About half a second. */
atl_status_t atl_ceiling_get(int n_threads, atl_ceiling_t *ceiling);

/* Bytes to go through until no cache has any of the first: four times the last-level caches, at least 256 MiB. */
size_t atl_ceiling_rotation_bytes(void);

#endif
