// TEST np=1
// Convolutions of every kind the networks use, in both precisions, against the plain twin, and the promise that a
// picture's bits depend on that picture alone, whatever the number of pictures and threads.
#include "model/kernels/conv/conv.h"

#include <omp.h>

#include "common/memory.h"
#include "model/kernels/reference/reference.h"
#include "tests/support/tap.h"

enum { N_IMAGES = 3 };

static const atl_conv_spec_t specs[] = {
    {.n_in = 3, .n_out = 7, .kernel = 4, .stride = 2, .padding = 1, .height = 16, .width = 16, .has_relu = true},
    {.n_in = 32, .n_out = 33, .kernel = 3, .stride = 1, .padding = 1, .height = 8, .width = 7, .has_relu = true},
    {.n_in = 33, .n_out = 64, .kernel = 1, .stride = 1, .padding = 0, .height = 5, .width = 5, .accumulates = true},
    {.n_in = 64,
     .n_out = 128,
     .kernel = 1,
     .stride = 1,
     .padding = 0,
     .height = 7,
     .width = 7,
     .accumulates = true,
     .has_relu = true},
    {.n_in = 64,
     .n_out = 64,
     .kernel = 4,
     .stride = 2,
     .padding = 1,
     .height = 32,
     .width = 32,
     .is_transposed = true,
     .has_relu = true},
    {.n_in = 48, .n_out = 5, .kernel = 4, .stride = 2, .padding = 1, .height = 4, .width = 3, .is_transposed = true},
    {.n_in = 3, .n_out = 48, .kernel = 8, .stride = 8, .padding = 0, .height = 32, .width = 32},
    {.n_in = 4, .n_out = 8, .kernel = 3, .stride = 2, .padding = 1, .height = 9, .width = 9, .has_relu = true},
    {.n_in = 64, .n_out = 64, .kernel = 3, .stride = 1, .padding = 1, .height = 20, .width = 20, .has_relu = true},
};

typedef struct {
  atl_conv_spec_t spec;
  int64_t x_items, y_items;
  float *weight, *bias, *x, *y, *start, *want, *again;
} case_t;

static void fill(float *x, int64_t n, uint32_t seed) {
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float)(int32_t)seed / 2147483648.0f;
  }
}

static atl_status_t new_case(const atl_conv_spec_t *spec, const atl_conv_t *conv, case_t *c) {
  c->x_items = (int64_t)spec->height * spec->width * spec->n_in;
  c->y_items = (int64_t)atl_conv_out_height(conv) * atl_conv_out_width(conv) * spec->n_out;
  ATL_TRY(ATL_NEW(N_IMAGES * c->x_items, &c->x));
  ATL_TRY(ATL_NEW(N_IMAGES * c->y_items, &c->y));
  ATL_TRY(ATL_NEW(N_IMAGES * c->y_items, &c->start));
  ATL_TRY(ATL_NEW(N_IMAGES * c->y_items, &c->want));
  ATL_TRY(ATL_NEW(N_IMAGES * c->y_items, &c->again));
  fill(c->x, N_IMAGES * c->x_items, 1);
  fill(c->start, N_IMAGES * c->y_items, 2);
  return ATL_OK;
}

static void run(case_t *c, const atl_conv_t *conv, float *y, int64_t first, int64_t n, int n_threads) {
  omp_set_num_threads(n_threads);
  memcpy(y + first * c->y_items, c->start + first * c->y_items, (size_t)(n * c->y_items) * sizeof *y);
  atl_conv_apply(conv, y + first * c->y_items, c->x + first * c->x_items, n);
}

static void check_case(case_t *c, const atl_conv_t *conv, const char *name) {
  size_t n_bytes = (size_t)(N_IMAGES * c->y_items) * sizeof(float);
  memcpy(c->want, c->start, n_bytes);
  for (int64_t i = 0; i < N_IMAGES; i++) atl_reference_conv(&c->spec, c->want + i * c->y_items, c->x + i * c->x_items);
  run(c, conv, c->y, 0, N_IMAGES, 2);
  /* chains of up to 1024 products reach 40, where one rounding is 4e-6 */
  TAP_CLOSE(c->y, c->want, N_IMAGES * c->y_items, 1e-4, name);
  for (int64_t i = 0; i < N_IMAGES; i++) run(c, conv, c->again, i, 1, 1);
  TAP_OK(memcmp(c->y, c->again, n_bytes) == 0, "one picture on one thread gives the same bits");
  run(c, conv, c->again, 0, 1, 5);
  TAP_OK(memcmp(c->y, c->again, n_bytes) == 0, "five threads give the same bits");
}

/* A convolution created while five threads are allowed gives the bits of check_case. */
static void check_created_with_threads(case_t *c, const char *name) {
  atl_conv_t *conv = NULL;
  char what[200];
  omp_set_num_threads(5);
  if (atl_conv_new(&c->spec, &conv) == ATL_OK) run(c, conv, c->again, 0, 1, 1);
  snprintf(what, sizeof what, "%s: the same bits when created with one thread or with five", name);
  TAP_OK(conv != NULL && memcmp(c->y, c->again, (size_t)c->y_items * sizeof(float)) == 0, what);
  atl_conv_destroy(&conv);
}

static void test_spec(const atl_conv_spec_t *given, atl_dtype_t dtype, atl_backend_t backend) {
  case_t c = {.spec = *given};
  atl_conv_t *conv = NULL;
  int64_t n_weights = (int64_t)given->n_in * given->n_out * given->kernel * given->kernel;
  char name[120];
  snprintf(name, sizeof name, "%s %s %dx%d stride %d, %d -> %d channels, %dx%d%s", atl_dtype_name(dtype),
           atl_backend_name(backend), given->kernel, given->kernel, given->stride, given->n_in, given->n_out,
           given->height, given->width, given->is_transposed ? ", transposed" : "");
  if (ATL_NEW(n_weights, &c.weight) != ATL_OK || ATL_NEW(given->n_out, &c.bias) != ATL_OK) return;
  fill(c.weight, n_weights, 3);
  fill(c.bias, given->n_out, 4);
  c.spec.weight = c.weight, c.spec.bias = c.bias, c.spec.dtype = dtype, c.spec.backend = backend;
  omp_set_num_threads(1);
  TAP_STATUS(ATL_OK, atl_conv_new(&c.spec, &conv), name);
  if (new_case(&c.spec, conv, &c) == ATL_OK) {
    check_case(&c, conv, name);
    check_created_with_threads(&c, name);
  }
  atl_conv_destroy(&conv);
  float **blocks[] = {&c.weight, &c.bias, &c.x, &c.y, &c.start, &c.want, &c.again};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) ATL_DESTROY(blocks[i]);
}

/* A transposed convolution with a 1x1 convolution as `then` equals the two applied one after the other. */
static void test_then(atl_dtype_t dtype, atl_backend_t backend) {
  enum { SIDE = 6, MIDDLE = 24, LAST = 3 };
  static float weight[5 * MIDDLE * 16], second[LAST * MIDDLE], x[SIDE * SIDE * 5];
  static float middle[4 * SIDE * SIDE * MIDDLE], want[4 * SIDE * SIDE * LAST], got[4 * SIDE * SIDE * LAST];
  atl_conv_t *both = NULL, *last = NULL;
  fill(weight, 5 * MIDDLE * 16, 5);
  fill(second, LAST * MIDDLE, 6);
  fill(x, SIDE * SIDE * 5, 7);
  atl_conv_spec_t up = {.weight = weight, .n_in = 5, .n_out = MIDDLE, .kernel = 4, .stride = 2, .padding = 1};
  up.height = up.width = SIDE, up.is_transposed = up.has_relu = true, up.dtype = dtype, up.backend = backend;
  atl_conv_spec_t point = {.weight = second, .n_in = MIDDLE, .n_out = LAST, .kernel = 1, .stride = 1};
  point.height = point.width = 2 * SIDE, point.dtype = dtype, point.backend = backend;
  atl_reference_conv(&up, middle, x);
  atl_reference_conv(&point, want, middle);
  point.height = point.width = SIDE;
  TAP_STATUS(ATL_OK, atl_conv_new(&point, &last), "a 1x1 convolution is created");
  up.then = last;
  TAP_STATUS(ATL_OK, atl_conv_new(&up, &both), "a transposed convolution with it as `then` is created");
  atl_conv_apply(both, got, x, 1);
  /* sums in another order may round a value between the two to the neighbouring bf16: one part in 2^8 of values below
   * 4, times a weight below 1 */
  TAP_CLOSE(got, want, 4 * SIDE * SIDE * LAST, dtype == ATL_BF16 ? 4.0 / 256 : 1e-4,
            "`then` gives what the two give one after the other");
  atl_conv_destroy(&both);
  atl_conv_destroy(&last);
}

static void test_backend(atl_dtype_t dtype, atl_backend_t backend) {
  if (!atl_backend_is_available(backend, dtype)) {
    atl_conv_t *conv;
    atl_conv_spec_t spec = specs[0];
    spec.dtype = dtype, spec.backend = backend;
    TAP_STATUS(ATL_UNSUPPORTED, atl_conv_new(&spec, &conv), "a backend that this processor lacks is refused");
    TAP_SKIP("this processor lacks the instructions of a backend");
    return;
  }
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) test_spec(&specs[i], dtype, backend);
  test_then(dtype, backend);
}

int main(void) {
  const atl_backend_t backends[] = {ATL_BACKEND_PLAIN,  ATL_BACKEND_AVX2,     ATL_BACKEND_AVX512,
                                    ATL_BACKEND_ONEDNN, ATL_BACKEND_OPENBLAS, ATL_BACKEND_AUTO};
  for (size_t b = 0; b < sizeof backends / sizeof *backends; b++) {
    test_backend(ATL_F32, backends[b]);
    test_backend(ATL_BF16, backends[b]);
  }
  atl_conv_t *conv;
  atl_conv_spec_t odd = {
      .n_in = 1, .n_out = 1, .kernel = 3, .stride = 2, .padding = 1, .height = 4, .width = 4, .is_transposed = true};
  TAP_STATUS(ATL_UNSUPPORTED, atl_conv_new(&odd, &conv), "a transposed convolution of another size is refused");
  odd.is_transposed = false, odd.height = 0;
  TAP_STATUS(ATL_INPUT, atl_conv_new(&odd, &conv), "a picture smaller than the window is refused");
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
