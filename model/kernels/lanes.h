/* Lanes: 16 fp32 values at once in the compiler's vector type, with the same arithmetic on every CPU. For sources of
 * kernels whose entry points are marked ATL_LANES_CLONES: one machine code per instruction set.
 *
 * Multiply-adds are never fused (-std=c11 turns contraction off), and sums use 16 partial sums joined in a fixed order,
 * so the clones agree bit for bit. */
#ifndef ATL_MODEL_KERNELS_LANES_H
#define ATL_MODEL_KERNELS_LANES_H

#include <stdint.h>
#include <string.h>

/* The helpers are always inlined: no vector crosses a call, so the ABI difference that GCC would warn about (-Wno-psabi
 * in the Makefile) does not matter. */
#ifdef __clang__
#define ATL_LANES_CLONES /* clang rejects the inlined helpers' vectors in clones: one code, for the build's flags */
#else
#define ATL_LANES_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#define ATL_LANES_INLINE static inline __attribute__((always_inline))

enum { ATL_LANES = 16 };
typedef float atl_lanes_t __attribute__((vector_size(64)));
typedef int32_t atl_lanes_bits_t __attribute__((vector_size(64)));

ATL_LANES_INLINE atl_lanes_t lanes_load(const float *x) {
  atl_lanes_t lanes;
  memcpy(&lanes, x, sizeof lanes);
  return lanes;
}
ATL_LANES_INLINE void lanes_store(float *y, atl_lanes_t lanes) { memcpy(y, &lanes, sizeof lanes); }

/* The last n < 16 values of a row; the other lanes are `rest`. */
ATL_LANES_INLINE atl_lanes_t lanes_load_tail(const float *x, int64_t n, float rest) {
  atl_lanes_t lanes = (atl_lanes_t){0} + rest;
  memcpy(&lanes, x, (size_t)n * sizeof *x);
  return lanes;
}
ATL_LANES_INLINE void lanes_store_tail(float *y, atl_lanes_t lanes, int64_t n) {
  memcpy(y, &lanes, (size_t)n * sizeof *y);
}

ATL_LANES_INLINE atl_lanes_t lanes_select(atl_lanes_bits_t mask, atl_lanes_t yes, atl_lanes_t no) {
  return (atl_lanes_t)((mask & (atl_lanes_bits_t)yes) | (~mask & (atl_lanes_bits_t)no));
}
ATL_LANES_INLINE atl_lanes_t lanes_max(atl_lanes_t a, atl_lanes_t b) { return lanes_select(a > b, a, b); }

/* Lane i becomes lane i ^ 8, i ^ 4, i ^ 2 or i ^ 1. */
#define LANES_DOWN_8(x) __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#define LANES_DOWN_4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define LANES_DOWN_2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define LANES_DOWN_1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)

/* Sum of the lanes: halves are added until one lane is left. */
ATL_LANES_INLINE float lanes_sum(atl_lanes_t lanes) {
  lanes += LANES_DOWN_8(lanes);
  lanes += LANES_DOWN_4(lanes);
  lanes += LANES_DOWN_2(lanes);
  lanes += LANES_DOWN_1(lanes);
  return lanes[0];
}

ATL_LANES_INLINE float lanes_top(atl_lanes_t lanes) {
  lanes = lanes_max(lanes, LANES_DOWN_8(lanes));
  lanes = lanes_max(lanes, LANES_DOWN_4(lanes));
  lanes = lanes_max(lanes, LANES_DOWN_2(lanes));
  return lanes_max(lanes, LANES_DOWN_1(lanes))[0];
}

/* e^x for x <= 88, as 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2; e^r is its Taylor series up to r^7. ln 2 is
 * subtracted in two parts, the first exact in few bits. Adding and subtracting 1.5 * 2^23 rounds to an integer and
 * leaves it in the low bits. 0 for x < -87. */
ATL_LANES_INLINE atl_lanes_t lanes_exp_up_to_88(atl_lanes_t x) {
  const float magic = 12582912.0f;
  atl_lanes_bits_t is_tiny = x < -87.0f;
  x = lanes_select(is_tiny, (atl_lanes_t){0} - 87.0f, x);
  atl_lanes_t shifted = x * 1.44269504f + magic, n = shifted - magic;
  atl_lanes_t r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  atl_lanes_t p = (atl_lanes_t){0} + 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.0f;
  atl_lanes_bits_t power = ((atl_lanes_bits_t)shifted - 0x4b400000 + 127) << 23;
  return lanes_select(is_tiny, (atl_lanes_t){0}, p * (atl_lanes_t)power);
}

/* e^x for any x; e^88 above 88. */
ATL_LANES_INLINE atl_lanes_t lanes_exp(atl_lanes_t x) {
  return lanes_exp_up_to_88(lanes_select(x > 88.0f, (atl_lanes_t){0} + 88.0f, x));
}

#endif
