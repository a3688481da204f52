/* CPU: what the processor this runs on can do, asked at run time. One binary runs everywhere; kernels that need more
 * than baseline x86-64 are compiled with target attributes and called only when these say so. */
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

/* The first feature of a set that this CPU lacks, as /proc/cpuinfo spells it; NULL when it has all of them. */
const char *atl_cpu_lacks_nothing(void);
const char *atl_cpu_lacks_avx2(void);        /* with FMA */
const char *atl_cpu_lacks_avx512(void);      /* F, BW, VL, DQ */
const char *atl_cpu_lacks_avx512_bf16(void); /* with those */
const char *atl_cpu_lacks_amx(void);         /* tiles with bf16, and the system's permission: asks for it */

/* AMX tiles with bf16, after asking Linux to let this process use them: true from the first call on, or never. */
bool atl_cpu_has_amx(void);
/* Bytes of the last-level caches of the processors this process may run on, each cache counted once; 0 when the system
 * does not say. */
size_t atl_cpu_cache_bytes(void);
/* "AMD EPYC", as the processor names itself, into text; returns text. */
const char *atl_cpu_describe(char *text, size_t text_bytes);

#endif
