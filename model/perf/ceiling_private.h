/* Inside of the ceiling: loops that do nothing but multiply, one an instruction. */
#ifndef ATL_MODEL_PERF_CEILING_PRIVATE_H
#define ATL_MODEL_PERF_CEILING_PRIVATE_H

#include "common/tensor.h"
#include "model/kernels/cpu.h"

/* Independent chains in registers, enough of them to hide each one's latency. */
typedef struct {
  const char *instruction;
  float (*run)(int64_t n_steps); /* what it returns keeps the loop from being dropped */
  double flops_per_step;
  int64_t n_steps; /* about a millisecond */
} ceiling_loop_t;

enum { CEILING_MAX_LOOPS = 3 };

/* The loops worth measuring for a dtype on such a processor, the fastest first; returns how many. */
int atl_ceiling_loops(atl_cpu_t cpu, bool has_amx, atl_dtype_t dtype, ceiling_loop_t loops[CEILING_MAX_LOOPS]);
/* bf16 products on tiles; only where atl_cpu_has_amx. */
ceiling_loop_t atl_ceiling_loop_amx(void);

#endif
