/* Linear layers alone, with weights that come from memory: as many copies as fill the working set are applied in turn,
 * and a lap is a whole round of them. Where a round takes long, because of many rows, a lap is a part of it and the
 * next one continues from there: the best time of a single copy would be that of one that happened to lie in a cache.
 */
#include <math.h>

#include "common/arena.h"
#include "common/timer.h"
#include "model/kernels/reference/reference.h"
#include "model/perf/bench/bench.h"

enum { N_CHECKED_ROWS = 3, N_CHECKED_OUTPUTS = 64, N_SHAPES = 5, LAPS_PER_BUDGET = 4 };

typedef struct {
  const char *name;
  int64_t n_out, n_in;
  atl_activation_t activation;
} shape_t;

typedef struct {
  float *weight, *bias, *x, *y;
  int64_t max_rows;
  atl_linear_t **copies;
  int64_t n_copies;
} work_t;

static void set_shapes(const atl_transformer_config_t *c, shape_t shapes[N_SHAPES]) {
  int64_t width = c->width, inner = (int64_t)c->n_heads * c->head_size;
  shapes[0] = (shape_t){"to_qkv", 3 * inner, width, ATL_ACTIVATION_NONE};
  shapes[1] = (shape_t){"to_out", width, inner, ATL_ACTIVATION_NONE};
  shapes[2] = (shape_t){"net.0", 8 * width, width, ATL_ACTIVATION_GEGLU};
  shapes[3] = (shape_t){"net.3", width, 4 * width, ATL_ACTIVATION_NONE};
  shapes[4] = (shape_t){"head", c->n_image_tokens, width, ATL_ACTIVATION_NONE};
}

/* Values in [-1, 1) that repeat after 2^32: weights only need to differ from each other. */
static void fill(float *x, int64_t n, uint32_t state) {
  for (int64_t i = 0; i < n; i++) {
    state = state * 1664525U + 1013904223U;
    x[i] = (float)(int32_t)state / 2147483648.0F;
  }
}

static atl_status_t work_init(work_t *work, atl_arena_t *arena, const shape_t *shape, int64_t max_rows) {
  *work = (work_t){.max_rows = max_rows};
  ATL_TRY(ATL_TAKE(arena, shape->n_out * shape->n_in, &work->weight));
  ATL_TRY(ATL_TAKE(arena, shape->n_out, &work->bias));
  ATL_TRY(ATL_TAKE(arena, max_rows * shape->n_in, &work->x));
  ATL_TRY(ATL_TAKE(arena, max_rows * shape->n_out, &work->y));
  fill(work->weight, shape->n_out * shape->n_in, 1);
  fill(work->bias, shape->n_out, 2);
  fill(work->x, max_rows * shape->n_in, 3);
  return ATL_OK;
}

static size_t weight_bytes_of(const atl_linear_spec_t *spec) {
  return (size_t)(spec->n_out * spec->n_in) * atl_dtype_bytes(spec->dtype);
}

/* Copies that fill the working set. Small layers have more scratch than weights, so all that the copies allocate stays
 * within ATL_MOST_WORKING_SET, or the working set if that is larger. */
static int64_t count_copies(const atl_linear_spec_t *spec, size_t working_set_bytes) {
  size_t room = working_set_bytes > ATL_MOST_WORKING_SET ? working_set_bytes : ATL_MOST_WORKING_SET;
  size_t wanted = working_set_bytes / weight_bytes_of(spec) + 1, most = room / atl_linear_get_bytes(spec) + 1;
  return (int64_t)(wanted < most ? wanted : most);
}

static atl_status_t make_copies(work_t *work, const atl_linear_spec_t *spec, size_t working_set_bytes) {
  int64_t wanted = count_copies(spec, working_set_bytes);
  ATL_TRY(ATL_NEW(wanted, &work->copies));
  for (work->n_copies = 0; work->n_copies < wanted; work->n_copies++)
    ATL_TRY(atl_linear_new(spec, &work->copies[work->n_copies]));
  return ATL_OK;
}

static void destroy_copies(work_t *work) {
  for (int64_t i = 0; i < work->n_copies; i++) atl_linear_destroy(&work->copies[i]);
  ATL_DESTROY(&work->copies);
  work->n_copies = 0;
}

/* Compares the first outputs of a few rows with the plain twin. Sums of I products of values below 1, added in another
 * order, differ by some roundings of a partial sum near sqrt(I)/3; GEGLU multiplies two of that size. */
static atl_status_t check(const work_t *work, const atl_linear_spec_t *spec, const char *name) {
  float want[N_CHECKED_ROWS * N_CHECKED_OUTPUTS];
  bool is_geglu = spec->activation == ATL_ACTIVATION_GEGLU;
  int64_t n_results = is_geglu ? spec->n_out / 2 : spec->n_out;
  int64_t n_rows = work->max_rows < N_CHECKED_ROWS ? work->max_rows : N_CHECKED_ROWS;
  double root = sqrt((double)spec->n_in),
         tolerance = 6e-8 * (double)spec->n_in * (1 + root / 3) * (is_geglu ? 2 * root : 1);
  if (is_geglu || n_results < N_CHECKED_OUTPUTS) return ATL_OK; /* the twin needs every output; unit tests do that */
  atl_linear_spec_t part = *spec;
  part.n_out = N_CHECKED_OUTPUTS;
  atl_reference_linear(&part, want, N_CHECKED_OUTPUTS, work->x, spec->n_in, n_rows, NULL);
  atl_linear_apply(work->copies[0], work->y, n_results, work->x, spec->n_in, n_rows, NULL);
  for (int64_t m = 0; m < n_rows; m++)
    for (int64_t o = 0; o < N_CHECKED_OUTPUTS; o++) {
      double got = (double)work->y[m * n_results + o], difference = got - (double)want[m * N_CHECKED_OUTPUTS + o];
      ATL_CHECK(fabs(difference) <= tolerance, INTERNAL,
                "%s with %s: output %lld of row %lld differs from the plain twin by %g", name,
                atl_backend_name(spec->backend), (long long)o, (long long)m, difference);
    }
  return ATL_OK;
}

/* Runs one lap; returns how many copies it applied. *next is the copy to begin with, and then the one to continue with.
 */
static int64_t run_lap(const work_t *work, const shape_t *shape, int64_t n_rows, double enough, int64_t *next) {
  int64_t n_results = shape->activation == ATL_ACTIVATION_GEGLU ? shape->n_out / 2 : shape->n_out;
  double start = atl_timer_now();
  for (int64_t n = 1;; n++) {
    atl_linear_apply(work->copies[*next], work->y, n_results, work->x, shape->n_in, n_rows, NULL);
    *next = (*next + 1) % work->n_copies;
    if (n == work->n_copies || atl_timer_now() - start > enough) return n;
  }
}

static atl_status_t measure_rows(atl_bench_t *bench, work_t *work, const shape_t *shape, const char *backend,
                                 int64_t n_rows) {
  int64_t next = 0;
  atl_laps_t laps = {.budget = bench->seconds};
  while (atl_laps_next(&laps)) laps.n_items = run_lap(work, shape, n_rows, bench->seconds / LAPS_PER_BUDGET, &next);
  double n_weights = (double)shape->n_out * (double)shape->n_in;
  atl_roof_t roof = atl_bench_roof(bench);
  atl_bound_t bound =
      atl_roofline_kernel(&roof, 2 * n_weights * (double)n_rows, n_weights * (double)atl_dtype_bytes(bench->dtype));
  ATL_TRY(atl_bench_add(bench, laps.best, &bound, "linear %s %s rows=%lld", shape->name, backend, (long long)n_rows));
  size_t all_bytes = (size_t)work->n_copies * (size_t)n_weights * atl_dtype_bytes(bench->dtype);
  bench->entries[bench->n_entries - 1].is_cached = atl_ceiling_is_cached(all_bytes, bench->cache_bytes);
  return ATL_OK;
}

static atl_status_t measure_backend(atl_bench_t *bench, work_t *work, const shape_t *shape, atl_backend_t backend,
                                    const int64_t *rows, int n_rows) {
  atl_linear_spec_t spec = {.weight = work->weight,
                            .bias = work->bias,
                            .n_out = shape->n_out,
                            .n_in = shape->n_in,
                            .dtype = bench->dtype,
                            .backend = backend,
                            .activation = shape->activation};
  ATL_TRY(make_copies(work, &spec, bench->working_set_bytes));
  ATL_TRY(check(work, &spec, shape->name));
  for (int i = 0; i < n_rows; i++) ATL_TRY(measure_rows(bench, work, shape, atl_backend_name(backend), rows[i]));
  return ATL_OK;
}

static atl_status_t measure_shape(atl_bench_t *bench, const shape_t *shape, const atl_backend_t *backends,
                                  int n_backends, const int64_t *rows, int n_rows, atl_arena_t *arena) {
  work_t work;
  int64_t max_rows = 1;
  for (int i = 0; i < n_rows; i++) max_rows = rows[i] > max_rows ? rows[i] : max_rows;
  ATL_TRY(work_init(&work, arena, shape, max_rows));
  for (int i = 0; i < n_backends; i++) {
    atl_status_t status = measure_backend(bench, &work, shape, backends[i], rows, n_rows);
    destroy_copies(&work);
    ATL_TRY(status);
  }
  return ATL_OK;
}

atl_status_t atl_bench_linears(atl_bench_t *bench, const atl_transformer_config_t *config,
                               const atl_backend_t *backends, int n_backends, const int64_t *rows, int n_rows) {
  shape_t shapes[N_SHAPES];
  set_shapes(config, shapes);
  for (int i = 0; i < N_SHAPES; i++) {
    atl_arena_t arena = {0};
    atl_status_t status = measure_shape(bench, &shapes[i], backends, n_backends, rows, n_rows, &arena);
    atl_arena_clear(&arena);
    ATL_TRY(status);
  }
  return ATL_OK;
}
