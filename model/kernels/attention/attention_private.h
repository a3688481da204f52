/* Attention kernels, inside: the three sets that model/kernels/attention/attention.c chooses from. */
#ifndef ATL_MODEL_KERNELS_ATTENTION_ATTENTION_PRIVATE_H
#define ATL_MODEL_KERNELS_ATTENTION_ATTENTION_PRIVATE_H

#include "model/kernels/attention/attention.h"

enum { ATTENTION_AHEAD_BYTES = 128 }; /* how long before its turn what comes from memory is fetched */

atl_attention_kernels_t attention_plain(atl_dtype_t dtype);
#if defined(__x86_64__)
atl_attention_kernels_t attention_avx2(atl_dtype_t dtype);
atl_attention_kernels_t attention_avx512(atl_dtype_t dtype);
#endif

#endif
