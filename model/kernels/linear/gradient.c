/* A tile of GROUP outputs by BLOCK inputs is summed over a sample's rows in registers. The samples' tiles are joined
 * like the digits of a binary counter: partial sums of 1, 2, 4, ... samples wait on a stack, and two of equal size are
 * added. At the end the rest is added from the smallest up, which gives the tree of gradient.h. */
#include "model/kernels/linear/gradient.h"

#include <stdbool.h>

#include "model/kernels/lanes.h"

enum { N_SUMS = 4, BLOCK = N_SUMS * ATL_LANES, GROUP = 4, MAX_LEVELS = 63 };

typedef struct {
  float sums[GROUP][BLOCK];
} tile_t;

/* The factors of a tile: in row r, a[r * lda + g] for g < n_a <= GROUP and b[r * ldb + j] for j < n_b <= BLOCK. */
typedef struct {
  const float *a, *b;
  int64_t lda, ldb, n_a, n_b;
} factors_t;

/* Vector s of a row of b; elements from n_b on are 0. */
ATL_LANES_INLINE atl_lanes_t load_tail(const float *b, int64_t n_b, int s) {
  int64_t rest = n_b - (int64_t)s * ATL_LANES;
  if (rest >= ATL_LANES) return lanes_load(b + s * ATL_LANES);
  return rest > 0 ? lanes_load_tail(b + s * ATL_LANES, rest, 0) : (atl_lanes_t){0};
}

/* tile <- sum over rows [first,end) of a(row,GROUP)^T b(row,BLOCK), in order of rows. */
ATL_LANES_INLINE void sum_rows(tile_t *tile, const factors_t *f, int64_t first, int64_t end, bool is_whole) {
  atl_lanes_t sums[GROUP][N_SUMS] = {0};
  for (int64_t r = first; r < end; r++) {
    const float *a = f->a + r * f->lda, *b = f->b + r * f->ldb;
#pragma GCC unroll 4
    for (int s = 0; s < N_SUMS; s++) {
      atl_lanes_t row = is_whole ? lanes_load(b + s * ATL_LANES) : load_tail(b, f->n_b, s);
#pragma GCC unroll 4
      for (int g = 0; g < GROUP; g++) sums[g][s] += a[is_whole || g < f->n_a ? g : 0] * row;
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < GROUP; g++)
#pragma GCC unroll 4
    for (int s = 0; s < N_SUMS; s++) lanes_store(tile->sums[g] + s * ATL_LANES, sums[g][s]);
}

ATL_LANES_CLONES static void sum_sample(tile_t *tile, const factors_t *f, int64_t first, int64_t end) {
  if (f->n_a == GROUP && f->n_b == BLOCK)
    sum_rows(tile, f, first, end, true);
  else
    sum_rows(tile, f, first, end, false);
}

/* left <- left + right */
ATL_LANES_CLONES static void join(tile_t *left, const tile_t *right) {
  for (int g = 0; g < GROUP; g++)
    for (int j = 0; j < BLOCK; j += ATL_LANES)
      lanes_store(left->sums[g] + j, lanes_load(left->sums[g] + j) + lanes_load(right->sums[g] + j));
}

/* stack[0] <- the tree over all samples. */
static void sum_samples(tile_t stack[MAX_LEVELS], const factors_t *f, int64_t n_samples, int64_t sample_rows) {
  int depth = 0;
  for (int64_t i = 0; i < n_samples; i++) {
    sum_sample(&stack[depth++], f, i * sample_rows, (i + 1) * sample_rows);
    for (int64_t count = i + 1; count % 2 == 0; count /= 2) {
      join(&stack[depth - 2], &stack[depth - 1]);
      depth--;
    }
  }
  for (; depth > 1; depth--) join(&stack[depth - 2], &stack[depth - 1]);
}

/* out(n_a,n_b), rows ld apart, += the tree over all samples of a^T b. */
static void add_tile(float *out, int64_t ld, const factors_t *f, int64_t n_samples, int64_t sample_rows) {
  tile_t stack[MAX_LEVELS];
  sum_samples(stack, f, n_samples, sample_rows);
  for (int64_t g = 0; g < f->n_a; g++)
    for (int64_t j = 0; j < f->n_b; j++) out[g * ld + j] += stack[0].sums[g][j];
}

static int64_t at_most(int64_t n, int64_t limit) { return n < limit ? n : limit; }

void atl_linear_add_weight_gradient(const atl_linear_gradient_t *gradient, float *dw) {
  const atl_linear_gradient_t *d = gradient;
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int64_t o = 0; o < d->n_out; o += GROUP)
    for (int64_t i = 0; i < d->n_in; i += BLOCK) {
      const factors_t factors = {.a = d->dy + o,
                                 .b = d->x + i,
                                 .lda = d->n_out,
                                 .ldb = d->n_in,
                                 .n_a = at_most(d->n_out - o, GROUP),
                                 .n_b = at_most(d->n_in - i, BLOCK)};
      add_tile(dw + o * d->n_in + i, d->n_in, &factors, d->n_samples, d->sample_rows);
    }
}

/* The bias is the weight of an input that is always 1. */
void atl_linear_add_bias_gradient(const atl_linear_gradient_t *gradient, float *db) {
  static const float one = 1;
  const atl_linear_gradient_t *d = gradient;
#pragma omp parallel for schedule(dynamic)
  for (int64_t o = 0; o < d->n_out; o += BLOCK) {
    const factors_t factors = {
        .a = &one, .b = d->dy + o, .lda = 0, .ldb = d->n_out, .n_a = 1, .n_b = at_most(d->n_out - o, BLOCK)};
    add_tile(db + o, d->n_out, &factors, d->n_samples, d->sample_rows);
  }
}
