/* The kernels of one instruction set for an int8 cache. A query, and the weights of a block, are quantised to 16-bit
 * integers with one scale, so products add up exactly in integers, a pair at a time, and only sums are converted to
 * fp32.
 *
 * In addition to what attention_tiles.h needs, the including file defines 16 lanes of int32 (ivec_t, ivec_zero,
 * ivec_add, ivec_dot, which adds the products of 16 int8 pairs with one int16 pair, and ivec_to_float) and, for
 * quantising fp32, vec_mul, vec_magnitude (the bits of |x|), ivec_larger, ivec_top (the largest lane) and vec_store_i16
 * (rounds to nearest, ties to even). */
#define INLINE static inline __attribute__((always_inline)) TARGET

/* The first n values of x, 16 at most; the other lanes are 0. */
INLINE vec_t load_some(const float *x, int64_t n) {
  float some[ATL_KEY_BLOCK] = {0};
  if (n >= ATL_KEY_BLOCK) return vec_load(x);
  memcpy(some, x, (size_t)n * sizeof *x);
  return vec_load(some);
}

/* Returns the scale that maps the magnitude `top` (the bits of a float) to the integer `most`; NaN or infinite if top
 * is. *factor <- the inverse of the scale, 0 if top is 0. */
INLINE float scale_of(ivec_t top, float most, float *factor) {
  int32_t bits = ivec_top(top);
  float largest;
  memcpy(&largest, &bits, sizeof largest);
  *factor = largest > 0 ? most / largest : 0.0f;
  return largest / most;
}

INLINE int32_t pair_at(const int16_t *x, int64_t i_pair) {
  int32_t pair;
  memcpy(&pair, x + 2 * i_pair, sizeof pair);
  return pair;
}

INLINE int64_t pairs_of(int64_t size) { return (size + 1) / 2; }

TARGET static void own_query_i8(float *own, const float *q, int64_t head_size) {
  const int64_t largest_sum = INT32_MAX / 127 / head_size;
  const float most = largest_sum < INT16_MAX ? (float)largest_sum : (float)INT16_MAX;
  int16_t *pairs = (void *)own;
  ivec_t top = ivec_zero();
  for (int64_t e = 0; e < head_size; e += ATL_KEY_BLOCK)
    top = ivec_larger(top, vec_magnitude(load_some(q + e, head_size - e)));
  float factor, scale = scale_of(top, most, &factor);
  for (int64_t e = 0; e < head_size; e += ATL_KEY_BLOCK) {
    int16_t integers[ATL_KEY_BLOCK];
    int64_t n = 2 * pairs_of(head_size) - e < ATL_KEY_BLOCK ? 2 * pairs_of(head_size) - e : ATL_KEY_BLOCK;
    vec_store_i16(integers, vec_mul(load_some(q + e, head_size - e), vec_splat(factor)));
    memcpy(pairs + e, integers, (size_t)n * sizeof *integers);
  }
  own[pairs_of(head_size)] = scale;
}

TARGET static void own_scores_i8(float *scores, int64_t ld_scores, const float *own, int64_t ld_own, int64_t n_rows,
                                 const void *blocks, int64_t head_size) {
  const int8_t *k = blocks;
  const int64_t n_pairs = pairs_of(head_size), step = (int64_t)atl_attention_block_bytes(ATL_I8, 2 * n_pairs);
  for (int64_t m = 0; m < n_rows; m++, k += step, scores += ld_scores, own += ld_own) {
    const int16_t *pairs = (const void *)own;
    ivec_t even = ivec_zero(), odd = ivec_zero();
    for (int64_t i = 0; i < n_pairs; i += 2) {
      const int8_t *lanes = k + i * 2 * ATL_KEY_BLOCK;
      __builtin_prefetch(lanes + ATTENTION_AHEAD_BYTES, 0, 2);
      even = ivec_dot(even, lanes, pair_at(pairs, i));
      if (i + 1 < n_pairs) odd = ivec_dot(odd, lanes + 2 * ATL_KEY_BLOCK, pair_at(pairs, i + 1));
    }
    vec_t scales = vec_load((const void *)(k + n_pairs * 2 * ATL_KEY_BLOCK));
    vec_store(scores, vec_mul(vec_mul(ivec_to_float(ivec_add(even, odd)), scales), vec_splat(own[n_pairs])));
  }
}

/* n_vecs vectors of sums over the 16 slots of a block. */
INLINE void value_tile_i8(const int n_vecs, float *out, const int16_t *weights, float scale, const int8_t *v,
                          int64_t row_size) {
  ivec_t sum[VALUE_WIDTH];
  UNROLL for (int w = 0; w < n_vecs; w++) sum[w] = ivec_zero();
  for (int64_t i = 0; i < ATL_KEY_BLOCK / 2; i++) {
    int32_t pair = pair_at(weights, i);
    UNROLL for (int w = 0; w < n_vecs; w++) {
      const int8_t *lanes = v + 2 * (i * row_size + w * ATL_KEY_BLOCK);
      if (w % 2 == 0) __builtin_prefetch(lanes + ATTENTION_AHEAD_BYTES, 0, 2);
      sum[w] = ivec_dot(sum[w], lanes, pair);
    }
  }
  UNROLL for (int w = 0; w < n_vecs; w++) vec_store(
      out + w * ATL_KEY_BLOCK, vec_fma(ivec_to_float(sum[w]), vec_splat(scale), vec_load(out + w * ATL_KEY_BLOCK)));
}

TARGET static void own_values_i8(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows,
                                 const void *blocks, int64_t first_lane, int64_t n_keys, int64_t row_size) {
  const int8_t *v = blocks;
  const int64_t step = (int64_t)atl_attention_block_bytes(ATL_I8, row_size), wide = VALUE_WIDTH * ATL_KEY_BLOCK;
  for (int64_t m = 0; m < n_rows; m++, v += step, out += ldo, p += ldp) {
    float seen[ATL_KEY_BLOCK] = {0}, factor;
    int16_t weights[ATL_KEY_BLOCK];
    memcpy(seen + first_lane, p, (size_t)n_keys * sizeof *p);
    vec_t scaled = vec_mul(vec_load(seen), vec_load((const void *)(v + row_size * ATL_KEY_BLOCK)));
    float scale = scale_of(vec_magnitude(scaled), (float)INT16_MAX, &factor);
    vec_store_i16(weights, vec_mul(scaled, vec_splat(factor)));
    int64_t e = 0;
    for (; e + wide <= row_size; e += wide) value_tile_i8(VALUE_WIDTH, out + e, weights, scale, v + 2 * e, row_size);
    for (; e < row_size; e += ATL_KEY_BLOCK) value_tile_i8(1, out + e, weights, scale, v + 2 * e, row_size);
  }
}

#undef INLINE
