#include "model/kernels/attention/attention.h"

#include "model/kernels/attention/attention_private.h"

atl_attention_kernels_t atl_attention_kernels_get(atl_dtype_t dtype, atl_backend_t backend) {
  return atl_backend_attention(backend)->kernels(dtype);
}
