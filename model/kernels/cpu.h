/* CPU: what the processor supports, queried at run time. One binary runs everywhere: kernels that need more than
 * baseline x86-64 are compiled with target attributes and called only when these functions allow it. All functions are
 * local. */
#ifndef ATL_MODEL_KERNELS_CPU_H
#define ATL_MODEL_KERNELS_CPU_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  bool has_avx2;        /* with FMA */
  bool has_avx512;      /* F, BW, VL, DQ */
  bool has_avx512_bf16; /* vdpbf16ps, with has_avx512 */
} atl_cpu_t;

atl_cpu_t atl_cpu_get(void);

/* Each returns the first feature of its set that this CPU lacks, as /proc/cpuinfo spells it; NULL when it has them all.
 */
const char *atl_cpu_lacks_nothing(void);
const char *atl_cpu_lacks_avx2(void);        /* with FMA */
const char *atl_cpu_lacks_avx512(void);      /* F, BW, VL, DQ */
const char *atl_cpu_lacks_avx512_bf16(void); /* AVX512-BF16 and all of AVX-512 above */
const char *atl_cpu_lacks_amx(void);         /* tiles with bf16, and Linux's permission, which it requests */

/* True if this process may use AMX tiles with bf16. Requests Linux's permission; every call gives the same answer. */
bool atl_cpu_has_amx(void);
/* Bytes of the last-level caches of the CPUs this process may run on, each cache counted once; 0 when the system does
 * not report them. */
size_t atl_cpu_cache_bytes(void);
/* Writes the processor's own name, such as "AMD EPYC", into text and returns text. */
const char *atl_cpu_describe(char *text, size_t text_bytes);

#endif
