/* Tensor: a named, typed, shaped view of row-major numbers. A view never frees what it points at.
 *
 * Sizes read from files are checked here once: atl_tensor_n_items and _n_bytes fail on negative sizes and overflow.
 */
#ifndef ATL_COMMON_TENSOR_H
#define ATL_COMMON_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

enum { ATL_MAX_DIMS = 8 };

/* name as safetensors spells it, bytes an item */
#define ATL_DTYPE_LIST(X)                                                                                              \
  X(F32, 4) X(F64, 8) X(F16, 2) X(BF16, 2) X(I64, 8) X(I32, 4) X(I16, 2) X(I8, 1) X(U16, 2) X(U8, 1) X(BOOL, 1)

typedef enum {
#define X(name, bytes) ATL_##name,
  ATL_DTYPE_LIST(X)
#undef X
      ATL_N_DTYPES
} atl_dtype_t;

typedef struct {
  const char *name; /* borrowed from the file or caller */
  atl_dtype_t dtype;
  int n_dims; /* 0 is a scalar */
  int64_t shape[ATL_MAX_DIMS];
  const void *data; /* row-major, little-endian, any alignment */
} atl_tensor_t;

const char *atl_dtype_name(atl_dtype_t dtype); /* "F32" */
size_t atl_dtype_bytes(atl_dtype_t dtype);
bool atl_dtype_is_float(atl_dtype_t dtype);
/* The dtype a name like "BF16" (any case) stands for; ATL_N_DTYPES when none. */
atl_dtype_t atl_dtype_find(const char *name, size_t n);

/* Items of a shape; INPUT when a size is negative or the product overflows. */
atl_status_t atl_tensor_n_items(const atl_tensor_t *tensor, size_t *n_items);
atl_status_t atl_tensor_n_bytes(const atl_tensor_t *tensor, size_t *n_bytes);
/* "F32 [3, 64]" into text; returns text. */
const char *atl_tensor_describe(const atl_tensor_t *tensor, char *text, size_t text_bytes);
bool atl_tensor_has_shape(const atl_tensor_t *tensor, int n_dims, const int64_t *shape);

/* Reads n items from item `first` of any float dtype (or integers, exactly where fp32 can) into out. */
void atl_tensor_get_f32(const atl_tensor_t *tensor, size_t first, size_t n, float *out);

float atl_f32_from_bf16(uint16_t bits);
float atl_f32_from_f16(uint16_t bits);
uint16_t atl_bf16_from_f32(float value); /* round to nearest even, NaN kept */
uint16_t atl_f16_from_f32(float value);  /* round to nearest even, overflow to infinity, NaN kept */

#endif
