/* The kernels of one instruction set for every cache dtype, and kernels_for, which returns them. */
#include <string.h>

#define ITEM float
#define LOAD vec_load
#define NAME(stem) stem##_f32
#include "model/kernels/attention/attention_tiles.h"
#undef ITEM
#undef LOAD
#undef NAME
#define ITEM uint16_t
#define LOAD vec_load_bf16
#define NAME(stem) stem##_bf16
#include "model/kernels/attention/attention_tiles.h"

#include "model/kernels/attention/attention_int8_tiles.h"

static void own_query(float *own, const float *q, int64_t head_size) { memcpy(own, q, (size_t)head_size * sizeof *q); }

static atl_attention_kernels_t kernels_for(atl_dtype_t dtype) {
  switch (dtype) {
  case ATL_I8:
    return (atl_attention_kernels_t){
        .own_query = own_query_i8, .own_scores = own_scores_i8, .own_values = own_values_i8};
  case ATL_BF16:
    return (atl_attention_kernels_t){scores_bf16, values_bf16, own_query, own_scores_bf16, own_values_bf16};
  default: return (atl_attention_kernels_t){scores_f32, values_f32, own_query, own_scores_f32, own_values_f32};
  }
}
