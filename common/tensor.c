/* Half-precision formats are converted bit by bit: F16 is IEEE 754 binary16, BF16 the upper half of binary32. */
#include "common/tensor.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
  const char *name;
  size_t bytes;
} dtypes[] = {
#define X(name, bytes) {#name, bytes},
    ATL_DTYPE_LIST(X)
#undef X
};

const char *atl_dtype_name(atl_dtype_t dtype) { return dtypes[dtype].name; }

size_t atl_dtype_bytes(atl_dtype_t dtype) { return dtypes[dtype].bytes; }

bool atl_dtype_is_float(atl_dtype_t dtype) {
  return dtype == ATL_F32 || dtype == ATL_F64 || dtype == ATL_F16 || dtype == ATL_BF16;
}

atl_dtype_t atl_dtype_find(const char *name, size_t n) {
  for (int i = 0; i < ATL_N_DTYPES; i++)
    if (strlen(dtypes[i].name) == n && strncasecmp(dtypes[i].name, name, n) == 0) return (atl_dtype_t)i;
  return ATL_N_DTYPES;
}

atl_status_t atl_tensor_n_items(const atl_tensor_t *tensor, size_t *n_items) {
  size_t n = 1;
  for (int i = 0; i < tensor->n_dims; i++)
    ATL_CHECK(tensor->shape[i] >= 0 && !__builtin_mul_overflow(n, (size_t)tensor->shape[i], &n), INPUT,
              "tensor %s: size %lld of dimension %d is impossible; the file is corrupt", tensor->name,
              (long long)tensor->shape[i], i);
  *n_items = n;
  return ATL_OK;
}

atl_status_t atl_tensor_n_bytes(const atl_tensor_t *tensor, size_t *n_bytes) {
  size_t n;
  ATL_TRY(atl_tensor_n_items(tensor, &n));
  ATL_CHECK(!__builtin_mul_overflow(n, atl_dtype_bytes(tensor->dtype), n_bytes), INPUT,
            "tensor %s: %zu items are more than memory can address; the file is corrupt", tensor->name, n);
  return ATL_OK;
}

const char *atl_tensor_describe(const atl_tensor_t *tensor, char *text, size_t text_bytes) {
  size_t used = (size_t)snprintf(text, text_bytes, "%s [", atl_dtype_name(tensor->dtype));
  for (int i = 0; i < tensor->n_dims && used < text_bytes; i++)
    used += (size_t)snprintf(text + used, text_bytes - used, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
  if (used < text_bytes) snprintf(text + used, text_bytes - used, "]");
  return text;
}

bool atl_tensor_has_shape(const atl_tensor_t *tensor, int n_dims, const int64_t *shape) {
  if (tensor->n_dims != n_dims) return false;
  for (int i = 0; i < n_dims; i++)
    if (tensor->shape[i] != shape[i]) return false;
  return true;
}

float atl_f32_from_bf16(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

float atl_f32_from_f16(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits >> 15) << 31, exponent = (bits >> 10) & 31, mantissa = bits & 1023, wide;
  if (exponent == 31) {
    wide = sign | 0x7f800000u | mantissa << 13;
  } else if (exponent != 0) {
    wide = sign | (exponent + 112) << 23 | mantissa << 13;
  } else {
    float small = (float)mantissa * 0x1p-24f;
    return sign ? -small : small;
  }
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

uint16_t atl_bf16_from_f32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 64);
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

uint16_t atl_f16_from_f32(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
  if (magnitude < 0x38800000u) {                                   /* below 2^-14: a multiple of 2^-24 */
    float scaled;
    memcpy(&scaled, &magnitude, sizeof scaled);
    scaled = scaled * 0x1p24f + 0x1p23f; /* adding 2^23 rounds to an integer, ties to even */
    uint32_t rounded;
    memcpy(&rounded, &scaled, sizeof rounded);
    return (uint16_t)(sign | (rounded & 0x7fffu));
  }
  uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (rounded - 0x38000000u) >> 13);
}

void atl_tensor_get_f32(const atl_tensor_t *tensor, size_t first, size_t n, float *out) {
  const unsigned char *data = (const unsigned char *)tensor->data + first * atl_dtype_bytes(tensor->dtype);
#define READ(type, expression)                                                                                         \
  for (size_t i = 0; i < n; i++) {                                                                                     \
    type item;                                                                                                         \
    memcpy(&item, data + i * sizeof item, sizeof item);                                                                \
    out[i] = (float)(expression);                                                                                      \
  }                                                                                                                    \
  break
  switch (tensor->dtype) {
  case ATL_F32: memcpy(out, data, n * sizeof *out); break;
  case ATL_F64: READ(double, item);
  case ATL_F16: READ(uint16_t, atl_f32_from_f16(item));
  case ATL_BF16: READ(uint16_t, atl_f32_from_bf16(item));
  case ATL_I64: READ(int64_t, item);
  case ATL_I32: READ(int32_t, item);
  case ATL_I16: READ(int16_t, item);
  case ATL_I8: READ(int8_t, item);
  case ATL_U16: READ(uint16_t, item);
  case ATL_U8:
  case ATL_BOOL: READ(uint8_t, item);
  case ATL_N_DTYPES: ATL_ASSERT(!"a tensor has a dtype");
  }
#undef READ
}
