/* Ceiling, internal: loops that only multiply and add, one per instruction. */
#ifndef ATL_MODEL_PERF_CEILING_PRIVATE_H
#define ATL_MODEL_PERF_CEILING_PRIVATE_H

#include "common/tensor.h"
#include "model/kernels/cpu.h"

/* Independent chains in registers, enough of them to hide the latency of each one. */
typedef struct {
  const char *instruction;
  float (*run)(int64_t n_steps); /* the result keeps the compiler from removing the loop */
  double flops_per_step;
  int64_t n_steps; /* about a millisecond */
} ceiling_loop_t;

enum { CEILING_MAX_LOOPS = 3 };

/* Fills loops with those worth measuring for a dtype on such a processor, fastest first; returns their number. */
int atl_ceiling_loops(atl_cpu_t cpu, bool has_amx, atl_dtype_t dtype, ceiling_loop_t loops[CEILING_MAX_LOOPS]);
/* The loop of bf16 products on AMX tiles. Run it only if atl_cpu_has_amx(). */
ceiling_loop_t atl_ceiling_loop_amx(void);

#endif
