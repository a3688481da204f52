/* Choice of the attention kernels at run time. */
#include "model/kernels/attention/attention.h"

#include "model/kernels/attention/attention_private.h"
#include "model/kernels/cpu.h"

atl_attention_kernels_t atl_attention_kernels_get(atl_dtype_t dtype, atl_backend_t backend) {
#if defined(__x86_64__)
  atl_cpu_t cpu = atl_cpu_get();
  if (backend != ATL_BACKEND_PLAIN && backend != ATL_BACKEND_AVX2 && cpu.has_avx512) return attention_avx512(dtype);
  if (backend != ATL_BACKEND_PLAIN && cpu.has_avx2) return attention_avx2(dtype);
#else
  (void)backend;
#endif
  return attention_plain(dtype);
}
