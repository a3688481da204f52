/* Ceiling: how fast this machine can read memory and multiply, measured. What `atelier bench` holds the kernels
 * against.
 *
 * Each number is the best of several short runs, because other work on the machine only ever slows one down. Runs on
 * `n_threads` OpenMP threads at once; rates are of all of them together.
 */
#ifndef ATL_MODEL_KERNELS_CEILING_H
#define ATL_MODEL_KERNELS_CEILING_H

#include "common/status.h"

typedef struct {
  double read_bytes; /* bytes a second read from memory, in order */
  double f32_flops;  /* fp32 multiplications and additions a second, fused, in registers */
  double bf16_flops; /* the same of bf16 pairs summed in fp32; f32_flops where the processor has no such instruction */
} atl_ceiling_t;

/* MEMORY when the buffer read (far larger than caches) cannot be had. About half a second. */
atl_status_t atl_ceiling_get(int n_threads, atl_ceiling_t *ceiling);

#endif
