// TEST np=1
/* The linear layer in training: its gradients against finite differences and against their plain twins, with any number
 * of threads, and repacking after a step. */
#include "model/nn/linear.h"

#include <omp.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/rng.h"
#include "model/kernels/reference/reference.h"
#include "model/nn/activation.h"
#include "model/nn/conv.h"
#include "model/nn/embedding.h"
#include "model/nn/norm.h"
#include "tests/support/tap.h"

typedef struct {
  int64_t n_samples, sample_rows, n_in, n_out;
  atl_activation_t activation;
  atl_dtype_t dtype;
  bool has_bias;
} case_t;

/* A layer with its parameters, gradients and data. The loss is the sum of coefficients(n,n_results) * y. */
typedef struct {
  case_t c;
  int64_t n, n_results;
  atl_arena_t arena;
  float *weight, *bias, *dw, *db, *x, *z, *y, *dx, *coefficients;
  atl_nn_linear_saved_t saved;
  atl_nn_linear_t layer;
} bench_t;

/* Uniform numbers in (-1, 1), each a function of (seed, index). */
static void fill(float *x, int64_t n, uint64_t seed) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)(2 * atl_rng_uniform(seed, 0, 0, (uint32_t)i) - 1);
}

static atl_status_t take_memory(bench_t *b) {
  const case_t *c = &b->c;
  ATL_TRY(ATL_TAKE(&b->arena, c->n_out * c->n_in, &b->weight));
  ATL_TRY(ATL_TAKE(&b->arena, c->n_out * c->n_in, &b->dw));
  ATL_TRY(ATL_TAKE(&b->arena, c->n_out, &b->bias));
  ATL_TRY(ATL_TAKE(&b->arena, c->n_out, &b->db));
  ATL_TRY(ATL_TAKE(&b->arena, b->n * c->n_in, &b->x));
  ATL_TRY(ATL_TAKE(&b->arena, b->n * c->n_in, &b->dx));
  ATL_TRY(ATL_TAKE(&b->arena, b->n * c->n_out, &b->z));
  ATL_TRY(ATL_TAKE(&b->arena, b->n * b->n_results, &b->y));
  return ATL_TAKE(&b->arena, b->n * b->n_results, &b->coefficients);
}

static atl_linear_spec_t spec_of(const bench_t *b) {
  return (atl_linear_spec_t){.weight = b->weight,
                             .bias = b->c.has_bias ? b->bias : NULL,
                             .n_out = b->c.n_out,
                             .n_in = b->c.n_in,
                             .dtype = b->c.dtype,
                             .activation = b->c.activation};
}

static bool begin(bench_t *b, const case_t *c) {
  *b = (bench_t){.c = *c, .n = c->n_samples * c->sample_rows};
  b->n_results = c->activation == ATL_ACTIVATION_GEGLU ? c->n_out / 2 : c->n_out;
  atl_status_t status = take_memory(b);
  if (status == ATL_OK) {
    fill(b->weight, c->n_out * c->n_in, 1);
    fill(b->bias, c->n_out, 2);
    fill(b->x, b->n * c->n_in, 3);
    fill(b->coefficients, b->n * b->n_results, 4);
    b->saved = (atl_nn_linear_saved_t){.z = b->z, .n_samples = c->n_samples};
    atl_linear_spec_t spec = spec_of(b);
    const atl_nn_linear_gradient_t gradient = {.weight = b->dw, .bias = c->has_bias ? b->db : NULL};
    status = atl_nn_linear_init(&b->layer, &spec, &gradient);
  }
  return TAP_STATUS(ATL_OK, status, "a linear layer for training is initialised");
}

static void end(bench_t *b) {
  atl_nn_linear_clear(&b->layer);
  atl_arena_clear(&b->arena);
}

static double loss(bench_t *b) {
  double sum = 0;
  atl_nn_linear_saved_t saved = b->saved;
  atl_nn_linear_forward(&b->layer, b->y, b->x, b->n, &saved);
  for (int64_t i = 0; i < b->n * b->n_results; i++) sum += (double)b->coefficients[i] * (double)b->y[i];
  return sum;
}

/* (loss(p + h) - loss(p - h)) / 2h for each parameter p, which is then restored. */
static void differentiate(bench_t *b, float *parameters, int64_t n, float *slopes) {
  const float h = 1.0F / 64;
  for (int64_t i = 0; i < n; i++) {
    double losses[2];
    float before = parameters[i];
    for (int side = 0; side < 2; side++) {
      parameters[i] = before + (side == 0 ? -h : h);
      if (atl_nn_linear_repack(&b->layer) != ATL_OK) return;
      losses[side] = loss(b);
    }
    parameters[i] = before;
    slopes[i] = (float)((losses[1] - losses[0]) / (2.0 * (double)h));
  }
}

/* Tolerance of a central difference with step h = 1/64: its error is h^2/6 f''' plus the rounding error of the loss
 * over 2h. The third derivative of a loss of 6 rows with factors below 1 is at most about 10 (GELU's is below 2), which
 * gives 4e-4. The loss, about 10, is a sum of fp32 results with errors of 1e-7, which gives 1e-6 * 32 = 3e-5. */
static const double difference_tolerance = 5e-4;

static void check_differences(atl_activation_t activation, const char *name) {
  bench_t b;
  const case_t c = {
      .n_samples = 3, .sample_rows = 2, .n_in = 7, .n_out = 10, .activation = activation, .has_bias = true};
  float slopes[70];
  char text[120];
  if (begin(&b, &c)) {
    loss(&b);
    atl_nn_linear_forward(&b.layer, b.y, b.x, b.n, &b.saved);
    atl_nn_linear_backward(&b.layer, b.dx, b.coefficients, &b.saved);
    differentiate(&b, b.weight, c.n_out * c.n_in, slopes);
    snprintf(text, sizeof text, "%s: dW agrees with finite differences", name);
    TAP_CLOSE(b.dw, slopes, c.n_out * c.n_in, difference_tolerance, text);
    differentiate(&b, b.bias, c.n_out, slopes);
    snprintf(text, sizeof text, "%s: db agrees with finite differences", name);
    TAP_CLOSE(b.db, slopes, c.n_out, difference_tolerance, text);
    TAP_STATUS(ATL_OK, atl_nn_linear_repack(&b.layer), "the layer is repacked");
    differentiate(&b, b.x, b.n * c.n_in, slopes);
    snprintf(text, sizeof text, "%s: dX agrees with finite differences", name);
    TAP_CLOSE(b.dx, slopes, b.n * c.n_in, difference_tolerance, text);
  }
  end(&b);
}

/* Finite differences are wrong where ReLU has its kink, so its backward is checked with given values. */
static void check_relu(void) {
  const float z[4] = {-2, -0.5F, 0.5F, 2}, dy[4] = {1, 2, 3, 4}, want[4] = {0, 0, 3, 4};
  float dz[4];
  atl_nn_activation_backward(ATL_ACTIVATION_RELU, dz, dy, z, 2, 2);
  TAP_CLOSE(dz, want, 4, 0, "ReLU's backward passes the gradient where its input is positive");
}

/* The gradients have the twins' bits for any number of threads, and are added to the previous contents. */
static void check_twin(const case_t *c, const char *name) {
  bench_t b;
  char text[160];
  float *want_w = NULL, *want_b = NULL, *want_x = NULL;
  int n_threads = omp_get_max_threads();
  if (begin(&b, c) && ATL_TAKE(&b.arena, c->n_out * c->n_in, &want_w) == ATL_OK &&
      ATL_TAKE(&b.arena, c->n_out, &want_b) == ATL_OK && ATL_TAKE(&b.arena, b.n * c->n_in, &want_x) == ATL_OK) {
    atl_linear_spec_t spec = spec_of(&b);
    const atl_linear_gradient_t sums = {b.coefficients, b.x, c->n_samples, c->sample_rows, c->n_out, c->n_in};
    fill(want_w, c->n_out * c->n_in, 5);
    fill(want_b, c->n_out, 6);
    atl_reference_linear_gradient(&sums, want_w, want_b);
    atl_reference_linear_input_gradient(&spec, want_x, b.coefficients, b.n);
    for (int t = 1; t <= 3; t += 2) {
      omp_set_num_threads(t);
      fill(b.dw, c->n_out * c->n_in, 5);
      fill(b.db, c->n_out, 6);
      atl_nn_linear_forward(&b.layer, b.y, b.x, b.n, &b.saved);
      atl_nn_linear_backward(&b.layer, b.dx, b.coefficients, &b.saved);
      snprintf(text, sizeof text, "%s on %d threads: dW and db have the twin's bits", name, t);
      TAP_OK(memcmp(b.dw, want_w, (size_t)(c->n_out * c->n_in) * sizeof *want_w) == 0 &&
                 (!c->has_bias || memcmp(b.db, want_b, (size_t)c->n_out * sizeof *want_b) == 0),
             text);
      snprintf(text, sizeof text, "%s on %d threads: dX agrees with the twin", name, t);
      /* fp32 sums in the twin's order; bf16 kernels add pairs, an error of a few roundings of sums up to I. */
      TAP_CLOSE(b.dx, want_x, b.n * c->n_in, c->dtype == ATL_F32 ? 0 : 2e-5, text);
    }
    omp_set_num_threads(n_threads);
  }
  end(&b);
}

static void check_twins(void) {
  const case_t one = {1, 1, 1, 1, ATL_ACTIVATION_NONE, ATL_F32, true};
  const case_t odd = {7, 3, 33, 65, ATL_ACTIVATION_NONE, ATL_F32, true};
  const case_t wide = {5, 1, 130, 7, ATL_ACTIVATION_NONE, ATL_F32, true};
  const case_t pairs = {8, 8, 64, 8, ATL_ACTIVATION_NONE, ATL_BF16, true};
  const case_t bare = {6, 4, 17, 9, ATL_ACTIVATION_NONE, ATL_F32, false};
  check_twin(&one, "1 row of 1");
  check_twin(&odd, "7 samples of 3 rows");
  check_twin(&wide, "5 samples of 1 row");
  check_twin(&pairs, "bf16, 8 samples of 8 rows");
  check_twin(&bare, "without bias");
}

/* The gradient of a batch is the tree sum of those of its aligned blocks, so that replicas can split a batch. */
static void check_blocks(void) {
  enum { N_OUT = 9, N_IN = 70, ROWS = 3, N = 8, ITEMS = N_OUT * N_IN };
  static float dy[N * ROWS * N_OUT], x[N * ROWS * N_IN], whole[ITEMS], parts[4][ITEMS];
  fill(dy, N * ROWS * N_OUT, 7);
  fill(x, N * ROWS * N_IN, 8);
  atl_linear_gradient_t d = {dy, x, N, ROWS, N_OUT, N_IN};
  atl_linear_add_weight_gradient(&d, whole);
  for (int i = 0; i < 4; i++) {
    atl_linear_gradient_t block = {dy + i * 2 * ROWS * N_OUT, x + i * 2 * ROWS * N_IN, 2, ROWS, N_OUT, N_IN};
    atl_linear_add_weight_gradient(&block, parts[i]);
  }
  int n_differences = 0;
  for (int i = 0; i < ITEMS; i++)
    n_differences += (parts[0][i] + parts[1][i]) + (parts[2][i] + parts[3][i]) != whole[i];
  TAP_OK(n_differences == 0, "the gradient of 8 samples is the tree sum of 4 blocks of 2, bit for bit");
}

/* Inference and training give the same bits, fused or not. */
static void check_forward(void) {
  static const atl_activation_t kinds[] = {ATL_ACTIVATION_NONE, ATL_ACTIVATION_RELU, ATL_ACTIVATION_GELU,
                                           ATL_ACTIVATION_QUICK_GELU, ATL_ACTIVATION_GEGLU};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    bench_t b;
    const case_t c = {5, 1, 33, 46, kinds[i], ATL_F32, true};
    atl_nn_linear_t inference = {0};
    float y[5 * 46];
    char text[80];
    if (begin(&b, &c)) {
      atl_linear_spec_t spec = spec_of(&b);
      TAP_STATUS(ATL_OK, atl_nn_linear_init(&inference, &spec, NULL), "a linear layer for inference is initialised");
      atl_nn_linear_forward(&inference, y, b.x, b.n, NULL);
      atl_nn_linear_forward(&b.layer, b.y, b.x, b.n, &b.saved);
      snprintf(text, sizeof text, "activation %d: forward has the same bits in training and inference", (int)kinds[i]);
      TAP_OK(memcmp(y, b.y, (size_t)(b.n * b.n_results) * sizeof *y) == 0, text);
      TAP_OK(inference.transposed == NULL && inference.weight == NULL, "inference keeps no fp32 weights");
    }
    atl_nn_linear_clear(&inference);
    end(&b);
  }
}

static void check_repack(void) {
  bench_t b;
  const case_t c = {4, 2, 37, 41, ATL_ACTIVATION_NONE, ATL_F32, true};
  atl_nn_linear_t fresh = {0};
  float y[8 * 41];
  if (begin(&b, &c)) {
    fill(b.weight, c.n_out * c.n_in, 9);
    fill(b.bias, c.n_out, 10);
    atl_linear_spec_t spec = spec_of(&b);
    TAP_STATUS(ATL_OK, atl_nn_linear_init(&fresh, &spec, NULL), "a layer of the new weights is initialised");
    TAP_STATUS(ATL_OK, atl_nn_linear_repack(&b.layer), "changed weights are repacked");
    atl_nn_linear_forward(&fresh, y, b.x, b.n, NULL);
    atl_nn_linear_forward(&b.layer, b.y, b.x, b.n, &b.saved);
    TAP_OK(memcmp(y, b.y, sizeof y) == 0, "a repacked layer's forward uses the new weights");
    float want[8 * 37];
    atl_reference_linear_input_gradient(&spec, want, b.coefficients, b.n);
    atl_nn_linear_backward(&b.layer, b.dx, b.coefficients, &b.saved);
    TAP_CLOSE(b.dx, want, 8 * 37, 0, "a repacked layer's backward uses the new weights");
  }
  atl_nn_linear_clear(&fresh);
  end(&b);
}

/* Layers without a backward yet record what it will need. */
static void check_notes(void) {
  const float weight[4] = {1, 2, 3, 4}, bias[2] = {0}, x[4] = {1, 2, 3, 5};
  const int32_t ids[2] = {1, 0};
  float y[4];
  const atl_nn_norm_t norm = {weight, bias, 2};
  const atl_nn_embedding_t embedding = {weight, 2, 2};
  atl_nn_norm_saved_t norm_saved;
  atl_nn_embedding_saved_t embedding_saved;
  atl_nn_norm_forward(&norm, y, x, 2, &norm_saved);
  TAP_OK(norm_saved.x == x && norm_saved.n == 2, "a norm layer records its input");
  atl_nn_embedding_forward(&embedding, y, ids, 2, &embedding_saved);
  TAP_OK(embedding_saved.ids == ids && embedding_saved.n == 2, "an embedding layer records its ids");
  TAP_OK(y[0] == 3 && y[1] == 4 && y[2] == 1 && y[3] == 2, "an embedding layer looks up rows by id");
  const atl_conv_spec_t spec = {
      .weight = weight, .n_in = 2, .n_out = 2, .kernel = 1, .stride = 1, .height = 1, .width = 2};
  atl_nn_conv_t conv = {0};
  atl_nn_conv_saved_t conv_saved;
  if (TAP_STATUS(ATL_OK, atl_nn_conv_init(&conv, &spec), "a convolution layer is initialised")) {
    atl_nn_conv_forward(&conv, y, x, 1, &conv_saved);
    TAP_OK(conv_saved.x == x && conv_saved.y == y && conv_saved.n == 1,
           "a convolution layer records its input and output");
  }
  atl_nn_conv_clear(&conv);
}

static void check_failures(void) {
  bench_t b;
  const case_t c = {1, 1, 4, 4, ATL_ACTIVATION_NONE, ATL_F32, true};
  if (begin(&b, &c)) {
    atl_nn_linear_t layer = {0};
    atl_linear_spec_t spec = spec_of(&b);
    const atl_nn_linear_gradient_t gradient = {.weight = b.dw, .bias = b.db};
    spec.backend = ATL_BACKEND_OPENBLAS;
    TAP_STATUS(ATL_UNSUPPORTED, atl_nn_linear_init(&layer, &spec, &gradient),
               "a library's backend is refused in training");
    spec.backend = ATL_BACKEND_AUTO;
    for (int n = 1; n <= 6; n++) {
      atl_memory_fail_after(n);
      atl_status_t status = atl_nn_linear_init(&layer, &spec, &gradient);
      atl_memory_fail_after(0);
      TAP_OK(status == ATL_OK || status == ATL_MEMORY, "an allocation that fails in init is reported");
      atl_nn_linear_clear(&layer);
    }
    atl_memory_fail_after(1);
    TAP_STATUS(ATL_MEMORY, atl_nn_linear_repack(&b.layer), "an allocation that fails in repack is reported");
    atl_memory_fail_after(0);
  }
  end(&b);
  TAP_OK(atl_memory_in_use_bytes() == 0, "linear layers leak nothing");
}

int main(void) {
  check_differences(ATL_ACTIVATION_NONE, "no activation");
  check_differences(ATL_ACTIVATION_GELU, "GELU");
  check_differences(ATL_ACTIVATION_QUICK_GELU, "QuickGELU");
  check_differences(ATL_ACTIVATION_GEGLU, "GEGLU");
  check_relu();
  check_twins();
  check_blocks();
  check_forward();
  check_repack();
  check_notes();
  check_failures();
  return tap_done();
}
