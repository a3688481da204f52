/* Attention kernels, internal: the operations of the three backends, for the registry (model/kernels/backend.c). */
#ifndef ATL_MODEL_KERNELS_ATTENTION_ATTENTION_PRIVATE_H
#define ATL_MODEL_KERNELS_ATTENTION_ATTENTION_PRIVATE_H

#include "model/kernels/attention/attention.h"
#include "model/kernels/backend_private.h"
#include "model/kernels/cpu.h"

enum { ATTENTION_AHEAD_BYTES = 128 }; /* prefetch distance for what comes from memory */

/* A backend's attention kernels. All zero: not built. */
struct atl_attention_ops {
  const char *(*lacks)(void); /* the feature this CPU lacks; NULL when none */
  atl_attention_kernels_t (*kernels)(atl_dtype_t dtype);
};

/* The operations of the backends, for the registry. */
extern const atl_attention_ops_t atl_attention_plain, atl_attention_avx2, atl_attention_avx512;

#endif
