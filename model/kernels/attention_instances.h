/* All cache dtypes of one instruction set, and the function KERNELS that hands them out. */
#define HAS_SCALES 0
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
#undef HAS_SCALES
#undef ITEM
#undef LOAD
#undef NAME
#define HAS_SCALES 1
#define ITEM int8_t
#define LOAD vec_load_i8
#define NAME(stem) stem##_i8
#include "model/kernels/attention_tiles.h"

atl_attention_kernels_t KERNELS(atl_dtype_t dtype) {
  switch (dtype) {
  case ATL_BF16: return (atl_attention_kernels_t){scores_bf16, own_scores_bf16, values_bf16, own_values_bf16};
  case ATL_I8: return (atl_attention_kernels_t){scores_i8, own_scores_i8, values_i8, own_values_i8};
  default: return (atl_attention_kernels_t){scores_f32, own_scores_f32, values_f32, own_values_f32};
  }
}
