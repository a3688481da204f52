/* Both cache dtypes of one instruction set, and the function KERNELS that hands them out. */
#define ITEM float
#define LOAD vec_load
#define NAME(stem) stem##_f32
#include "model/kernels/attention_tiles.h"
#undef ITEM
#undef LOAD
#undef NAME
#define ITEM uint16_t
#define LOAD vec_load_bf16
#define NAME(stem) stem##_bf16
#include "model/kernels/attention_tiles.h"

atl_attention_kernels_t KERNELS(atl_dtype_t dtype) {
  return dtype == ATL_BF16 ? (atl_attention_kernels_t){scores_bf16, own_scores_bf16, values_bf16, own_values_bf16}
                           : (atl_attention_kernels_t){scores_f32, own_scores_f32, values_f32, own_values_f32};
}
