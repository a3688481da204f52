/* Attention tiles: the two kernels of one instruction set and one cache dtype, written once over a vector of 16 lanes.
 *
 * The including file defines the vector (vec_t, vec_load, vec_store, vec_splat, vec_fma), TARGET, the tile sizes
 * SCORE_ROWS x SCORE_BLOCKS, LONE_BLOCKS, FEW_BLOCKS, VALUE_ROWS x VALUE_WIDTH that fill its registers, and for each
 * inclusion the cache's ITEM, its LOAD and NAME(stem). Tile sizes decide only which chains run side by side, never a
 * chain's order.
 */
#define INLINE static inline __attribute__((always_inline)) TARGET

/* One tile of scores: n_rows x n_blocks chains over e. Sizes are constants after inlining. */
INLINE void NAME(score_tile)(const int n_rows, const int n_blocks, float *scores, int64_t ld_scores, const float *q,
                             int64_t ldq, const ITEM *k, int64_t head_size) {
  vec_t sum[SCORE_ROWS][LONE_BLOCKS];
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int b = 0; b < n_blocks; b++) sum[m][b] = vec_splat(0.0f);
  for (int64_t e = 0; e < head_size; e++) {
    vec_t k_e[LONE_BLOCKS];
    UNROLL for (int b = 0; b < n_blocks; b++) k_e[b] = LOAD(k + (b * head_size + e) * ATL_KEY_BLOCK);
    /* A lone row's keys and values come from memory and are read once: fetched into L2 before their turn. */
    if (n_rows == 1)
      UNROLL for (int b = 0; b < n_blocks; b++)
          __builtin_prefetch(k + ((n_blocks + b) * head_size + e) * ATL_KEY_BLOCK, 0, 2);
    UNROLL for (int m = 0; m < n_rows; m++) {
      vec_t q_m = vec_splat(q[m * ldq + e]);
      UNROLL for (int b = 0; b < n_blocks; b++) sum[m][b] = vec_fma(q_m, k_e[b], sum[m][b]);
    }
  }
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int b = 0; b < n_blocks; b++)
      vec_store(scores + m * ld_scores + b * ATL_KEY_BLOCK, sum[m][b]);
}

/* One row's scores: side by side as many chains as there are blocks for, since each waits for itself. */
INLINE void NAME(lone_scores)(float *scores, const float *q, const ITEM *k, int64_t n_blocks, int64_t head_size) {
  const int64_t block = head_size * ATL_KEY_BLOCK;
  int64_t b = 0;
  for (; b + LONE_BLOCKS <= n_blocks; b += LONE_BLOCKS)
    NAME(score_tile)(1, LONE_BLOCKS, scores + b * ATL_KEY_BLOCK, 0, q, 0, k + b * block, head_size);
  for (; b + FEW_BLOCKS <= n_blocks; b += FEW_BLOCKS)
    NAME(score_tile)(1, FEW_BLOCKS, scores + b * ATL_KEY_BLOCK, 0, q, 0, k + b * block, head_size);
  for (; b < n_blocks; b++) NAME(score_tile)(1, 1, scores + b * ATL_KEY_BLOCK, 0, q, 0, k + b * block, head_size);
}

TARGET static void NAME(scores)(float *scores, int64_t ld_scores, const float *q, int64_t ldq, int64_t n_rows,
                                const void *k_items, int64_t n_blocks, int64_t head_size) {
  const ITEM *k = k_items;
  for (; n_rows >= SCORE_ROWS; n_rows -= SCORE_ROWS, q += SCORE_ROWS * ldq, scores += SCORE_ROWS * ld_scores) {
    int64_t b = 0;
    for (; b + SCORE_BLOCKS <= n_blocks; b += SCORE_BLOCKS) NAME(score_tile)
    (SCORE_ROWS, SCORE_BLOCKS, scores + b * ATL_KEY_BLOCK, ld_scores, q, ldq, k + b * head_size * ATL_KEY_BLOCK,
     head_size);
    for (; b < n_blocks; b++) NAME(score_tile)
    (SCORE_ROWS, 1, scores + b * ATL_KEY_BLOCK, ld_scores, q, ldq, k + b * head_size * ATL_KEY_BLOCK, head_size);
  }
  for (; n_rows > 0; n_rows--, q += ldq, scores += ld_scores) NAME(lone_scores)(scores, q, k, n_blocks, head_size);
}

/* One tile of sums: n_rows x n_vecs chains over keys. */
INLINE void NAME(value_tile)(const int n_rows, const int n_vecs, float *out, int64_t ldo, const float *p, int64_t ldp,
                             const ITEM *v, int64_t n_keys, int64_t row_size) {
  vec_t sum[VALUE_ROWS][VALUE_WIDTH];
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int w = 0; w < n_vecs; w++) sum[m][w] =
      vec_load(out + m * ldo + w * ATL_KEY_BLOCK);
  for (int64_t i = 0; i < n_keys; i++) {
    vec_t v_i[VALUE_WIDTH];
    UNROLL for (int w = 0; w < n_vecs; w++) v_i[w] = LOAD(v + i * row_size + w * ATL_KEY_BLOCK);
    if (n_rows == 1)
      UNROLL for (int w = 0; w < n_vecs; w++)
          __builtin_prefetch(v + (i + ATTENTION_AHEAD_KEYS) * row_size + w * ATL_KEY_BLOCK, 0, 2);
    UNROLL for (int m = 0; m < n_rows; m++) {
      vec_t p_m = vec_splat(p[m * ldp + i]);
      UNROLL for (int w = 0; w < n_vecs; w++) sum[m][w] = vec_fma(p_m, v_i[w], sum[m][w]);
    }
  }
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int w = 0; w < n_vecs; w++)
      vec_store(out + m * ldo + w * ATL_KEY_BLOCK, sum[m][w]);
}

TARGET static void NAME(value_rows)(const int is_lone, float *out, int64_t ldo, const float *p, int64_t ldp,
                                    const ITEM *v, int64_t n_keys, int64_t row_size) {
  int64_t e = 0;
  const int64_t wide = VALUE_WIDTH * ATL_KEY_BLOCK;
  for (; e + wide <= row_size; e += wide)
    if (is_lone)
      NAME(value_tile)(1, VALUE_WIDTH, out + e, ldo, p, ldp, v + e, n_keys, row_size);
    else
      NAME(value_tile)(VALUE_ROWS, VALUE_WIDTH, out + e, ldo, p, ldp, v + e, n_keys, row_size);
  for (; e < row_size; e += ATL_KEY_BLOCK)
    if (is_lone)
      NAME(value_tile)(1, 1, out + e, ldo, p, ldp, v + e, n_keys, row_size);
    else
      NAME(value_tile)(VALUE_ROWS, 1, out + e, ldo, p, ldp, v + e, n_keys, row_size);
}

TARGET static void NAME(values)(float *out, int64_t ldo, const float *p, int64_t ldp, int64_t n_rows, const void *v,
                                int64_t n_keys, int64_t row_size) {
  for (; n_rows >= VALUE_ROWS; n_rows -= VALUE_ROWS, out += VALUE_ROWS * ldo, p += VALUE_ROWS * ldp)
    NAME(value_rows)(0, out, ldo, p, ldp, v, n_keys, row_size);
  for (; n_rows > 0; n_rows--, out += ldo, p += ldp) NAME(value_rows)(1, out, ldo, p, ldp, v, n_keys, row_size);
}

#undef INLINE
