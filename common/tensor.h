/* Tensor: a view of row-major data with a name, a dtype and a shape. A view borrows its data and never frees it.
 *
 *     const atl_tensor_t tensor = {.name = "bias", .dtype = ATL_BF16, .n_dims = 1, .shape = {64}, .data = bytes};
 *     float bias[64];
 *     atl_tensor_get_f32(&tensor, 0, 64, bias);
 *
 * Sizes read from files are validated in atl_tensor_n_items and atl_tensor_n_bytes.
 */
#ifndef ATL_COMMON_TENSOR_H
#define ATL_COMMON_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

enum { ATL_MAX_DIMS = 8 };

/* name as in safetensors, bytes per item */
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
  int n_dims; /* 0: a scalar */
  int64_t shape[ATL_MAX_DIMS];
  const void *data; /* row-major, little-endian, any alignment */
} atl_tensor_t;

const char *atl_dtype_name(atl_dtype_t dtype); /* "F32" */
size_t atl_dtype_bytes(atl_dtype_t dtype);
bool atl_dtype_is_float(atl_dtype_t dtype);
/* The dtype named by n bytes, such as "BF16", in any case; ATL_N_DTYPES if there is none. */
atl_dtype_t atl_dtype_find(const char *name, size_t n);

/* Number of items, and of bytes. INPUT when a size is negative or the product overflows. */
atl_status_t atl_tensor_n_items(const atl_tensor_t *tensor, size_t *n_items);
atl_status_t atl_tensor_n_bytes(const atl_tensor_t *tensor, size_t *n_bytes);
/* Writes "F32 [3, 64]" into text; returns text. */
const char *atl_tensor_describe(const atl_tensor_t *tensor, char *text, size_t text_bytes);
bool atl_tensor_has_shape(const atl_tensor_t *tensor, int n_dims, const int64_t *shape);

/* out(n) <- items first .. first + n - 1, converted to fp32; integers beyond 2^24 are rounded. */
void atl_tensor_get_f32(const atl_tensor_t *tensor, size_t first, size_t n, float *out);

float atl_f32_from_bf16(uint16_t bits);
float atl_f32_from_f16(uint16_t bits);
uint16_t atl_bf16_from_f32(float value); /* round to nearest even, NaN kept */
uint16_t atl_f16_from_f32(float value);  /* round to nearest even, overflow to infinity, NaN kept */

#endif
