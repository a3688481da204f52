/* Attention tiles: the kernels of one instruction set and one cache dtype, written once over a vector of 16 lanes.
 *
 * The including file defines the vector (vec_t, vec_load, vec_store, vec_splat, vec_add, vec_fma), TARGET, UNROLL, and
 * the tile sizes that fill its registers, SCORE_ROWS, LONE_BLOCKS and VALUE_ROWS x VALUE_WIDTH. For each inclusion it
 * defines the cache's ITEM, its LOAD and NAME(stem). Tile sizes only decide which chains run side by side, never the
 * order within a chain.
 *
 * The own_ kernels read their blocks from memory in the order of addresses: this order reads 1.5 times as fast. */
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Prefetches the line ATTENTION_AHEAD_BYTES ahead into L2; i counts vectors from the beginning of a line. */
INLINE void NAME(fetch)(const ITEM *x, int64_t i) {
  const int64_t line_vecs = 4 / (int64_t)sizeof *x;
  if (i % line_vecs == 0) __builtin_prefetch(x + ATTENTION_AHEAD_BYTES / sizeof *x, 0, 2);
}

/* One tile of scores: n_rows x n_blocks vectors, each the sum of two chains, over the even and the odd channels. Sizes
 * are constants after inlining. */
INLINE void NAME(score_tile)(const int n_rows, const int n_blocks, const bool is_own, float *scores, int64_t ld_scores,
                             const float *q, int64_t ldq, const ITEM *k, int64_t head_size) {
  vec_t sum[2][SCORE_ROWS][LONE_BLOCKS];
  for (int odd = 0; odd < 2; odd++)
    UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int b = 0; b < n_blocks; b++) sum[odd][m][b] = vec_splat(0.0f);
  for (int64_t e = 0; e < head_size; e += 2) UNROLL for (int odd = 0; odd < 2; odd++) {
      if (e + odd == head_size) break;
      vec_t k_e[LONE_BLOCKS];
      UNROLL for (int b = 0; b < n_blocks; b++) {
        const ITEM *lanes = k + (b * head_size + e + odd) * ATL_KEY_BLOCK;
        if (is_own) NAME(fetch)(lanes, e + odd);
        k_e[b] = LOAD(lanes);
      }
      UNROLL for (int m = 0; m < n_rows; m++) {
        vec_t q_m = vec_splat(q[m * ldq + e + odd]);
        UNROLL for (int b = 0; b < n_blocks; b++) sum[odd][m][b] = vec_fma(q_m, k_e[b], sum[odd][m][b]);
      }
    }
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int b = 0; b < n_blocks; b++)
      vec_store(scores + m * ld_scores + b * ATL_KEY_BLOCK, vec_add(sum[0][m][b], sum[1][m][b]));
}

/* One row's scores against several blocks. */
INLINE void NAME(lone_scores)(float *scores, const float *q, const ITEM *k, int64_t n_blocks, int64_t head_size) {
  const int64_t block = head_size * ATL_KEY_BLOCK;
  int64_t b = 0;
  for (; b + LONE_BLOCKS <= n_blocks; b += LONE_BLOCKS)
    NAME(score_tile)(1, LONE_BLOCKS, false, scores + b * ATL_KEY_BLOCK, 0, q, 0, k + b * block, head_size);
  for (; b < n_blocks; b++)
    NAME(score_tile)(1, 1, false, scores + b * ATL_KEY_BLOCK, 0, q, 0, k + b * block, head_size);
}

TARGET static void NAME(scores)(float *scores, int64_t ld_scores, const float *q, int64_t ldq, int64_t n_rows,
                                const void *k_items, int64_t n_blocks, int64_t head_size) {
  const ITEM *k = k_items;
  const int64_t block = head_size * ATL_KEY_BLOCK;
  for (; n_rows >= SCORE_ROWS; n_rows -= SCORE_ROWS, q += SCORE_ROWS * ldq, scores += SCORE_ROWS * ld_scores)
    for (int64_t b = 0; b < n_blocks; b++)
      NAME(score_tile)(SCORE_ROWS, 1, false, scores + b * ATL_KEY_BLOCK, ld_scores, q, ldq, k + b * block, head_size);
  for (; n_rows > 0; n_rows--, q += ldq, scores += ld_scores) NAME(lone_scores)(scores, q, k, n_blocks, head_size);
}

TARGET static void NAME(own_scores)(float *scores, int64_t ld_scores, const float *own, int64_t ld_own, int64_t n_rows,
                                    const void *blocks, int64_t head_size) {
  const ITEM *k = blocks;
  for (int64_t m = 0; m < n_rows; m++) NAME(score_tile)
  (1, 1, true, scores + m * ld_scores, 0, own + m * ld_own, 0, k + m * head_size * ATL_KEY_BLOCK, head_size);
}

/* One tile of sums: n_rows x n_vecs vectors, each one chain over keys. */
INLINE void NAME(value_tile)(const int n_rows, const int n_vecs, const bool is_own, float *out, int64_t ldo,
                             const float *p, int64_t ldp, const ITEM *v, int64_t n_keys, int64_t row_size) {
  vec_t sum[VALUE_ROWS][VALUE_WIDTH];
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int w = 0; w < n_vecs; w++) sum[m][w] =
      vec_load(out + m * ldo + w * ATL_KEY_BLOCK);
  for (int64_t i = 0; i < n_keys; i++) {
    vec_t v_i[VALUE_WIDTH];
    UNROLL for (int w = 0; w < n_vecs; w++) {
      const ITEM *lanes = v + i * row_size + w * ATL_KEY_BLOCK;
      if (is_own) NAME(fetch)(lanes, w);
      v_i[w] = LOAD(lanes);
    }
    UNROLL for (int m = 0; m < n_rows; m++) {
      vec_t p_m = vec_splat(p[m * ldp + i]);
      UNROLL for (int w = 0; w < n_vecs; w++) sum[m][w] = vec_fma(p_m, v_i[w], sum[m][w]);
    }
  }
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int w = 0; w < n_vecs; w++)
      vec_store(out + m * ldo + w * ATL_KEY_BLOCK, sum[m][w]);
}

/* All E' columns of n_rows rows, tile by tile. */
INLINE void NAME(value_rows)(const int n_rows, const bool is_own, float *out, int64_t ldo, const float *p, int64_t ldp,
                             const ITEM *v, int64_t n_keys, int64_t row_size) {
  int64_t e = 0;
  const int64_t wide = VALUE_WIDTH * ATL_KEY_BLOCK;
  for (; e + wide <= row_size; e += wide)
    NAME(value_tile)(n_rows, VALUE_WIDTH, is_own, out + e, ldo, p, ldp, v + e, n_keys, row_size);
  for (; e < row_size; e += ATL_KEY_BLOCK)
    NAME(value_tile)(n_rows, 1, is_own, out + e, ldo, p, ldp, v + e, n_keys, row_size);
}

TARGET static void NAME(values)(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows, const void *v,
                                int64_t n_keys, int64_t row_size) {
  for (; n_rows >= VALUE_ROWS; n_rows -= VALUE_ROWS, out += VALUE_ROWS * ldo, p += VALUE_ROWS * ldp)
    NAME(value_rows)(VALUE_ROWS, false, out, ldo, p, ldp, v, n_keys, row_size);
  for (; n_rows > 0; n_rows--, out += ldo, p += ldp) NAME(value_rows)(1, false, out, ldo, p, ldp, v, n_keys, row_size);
}

TARGET static void NAME(own_values)(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows,
                                    const void *blocks, int64_t first_lane, int64_t n_keys, int64_t row_size) {
  const ITEM *v = blocks;
  for (int64_t m = 0; m < n_rows; m++) NAME(value_rows)
  (1, true, out + m * ldo, 0, p + m * ldp, 0, v + (m * ATL_KEY_BLOCK + first_lane) * row_size, n_keys, row_size);
}

#undef INLINE
