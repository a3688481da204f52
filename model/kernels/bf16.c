/* Integer arithmetic on the bit patterns, 16 values at a time. */
#include "model/kernels/bf16.h"

#include <string.h>

#include "common/tensor.h"

#if defined(__x86_64__)
#define ROUND_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ROUND_CLONES
#endif

typedef uint32_t bits_t __attribute__((vector_size(64)));
typedef uint16_t halves_t __attribute__((vector_size(32)));

ROUND_CLONES void atl_bf16_round(uint16_t *out, const float *x, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    bits_t bits, is_nan;
    memcpy(&bits, x + i, sizeof bits);
    is_nan = (bits_t)((bits & 0x7fffffffU) > 0x7f800000U);
    bits_t rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
    bits_t result = (is_nan & (bits >> 16 | 0x40U)) | (~is_nan & rounded);
    halves_t halves = __builtin_convertvector(result, halves_t);
    memcpy(out + i, &halves, sizeof halves);
  }
  for (; i < n; i++) out[i] = atl_bf16_from_f32(x[i]);
}
