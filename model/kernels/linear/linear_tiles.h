/* Linear tiles: the kernel of one instruction set and one dtype, written once over a vector of columns.
 *
 *     sums(n_rows,PANEL) += x(n_rows,n_steps) . w(n_steps,PANEL)
 *
 * The including file defines the vector of sums (vec_t, vec_load, vec_store), its number of columns LANES, N_VECS such
 * vectors side by side, which fill the registers with MAX_ROWS rows, UNROLL, and ROW_COUNTS(X), which is X(1) X(2) ...
 * X(MAX_ROWS - 1). For each inclusion it defines TARGET, NAME(stem), and the operations of a step: operand_t
 * NAME(weights)(w) loads the words of LANES columns, operand_t NAME(input)(x) repeats a row's word in every lane, and
 * vec_t NAME(add_products)(sum, x, w) adds their products in order of i.
 *
 * The number of rows is a constant in each instance of NAME(rows), so all sums stay in registers. Tile sizes only
 * decide which sums run side by side, never the order within a sum. */
#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE void NAME(rows)(const int n_rows, float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps,
                       prefetch_t prefetch) {
  vec_t sum[MAX_ROWS][N_VECS];
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int v = 0; v < N_VECS; v++) sum[m][v] =
      vec_load(sums + m * PANEL + v * LANES);
  for (int64_t s = 0; s < n_steps; s++, w += PANEL, x++) {
    NAME(operand_t) w_s[N_VECS];
    UNROLL for (int v = 0; v < N_VECS; v++) w_s[v] = NAME(weights)(w + v * LANES);
    prefetch_step(w, s, prefetch);
    UNROLL for (int m = 0; m < n_rows; m++) {
      NAME(operand_t) x_m = NAME(input)(x + m * BLOCK_STEPS);
      UNROLL for (int v = 0; v < N_VECS; v++) sum[m][v] = NAME(add_products)(sum[m][v], x_m, w_s[v]);
    }
  }
  UNROLL for (int m = 0; m < n_rows; m++) UNROLL for (int v = 0; v < N_VECS; v++)
      vec_store(sums + m * PANEL + v * LANES, sum[m][v]);
}

#define CASE(n)                                                                                                        \
  case n: NAME(rows)(n, sums + column, w + column, x, n_steps, prefetch); break;

TARGET static void NAME(tile)(float *sums, const uint32_t *w, const uint32_t *x, int64_t n_steps, int n_rows,
                              prefetch_t prefetch) {
  for (int column = 0; column < PANEL; column += N_VECS * LANES) switch (n_rows) {
      ROW_COUNTS(CASE)
    default: NAME(rows)(MAX_ROWS, sums + column, w + column, x, n_steps, prefetch); break;
    }
}

#undef CASE
#undef INLINE
