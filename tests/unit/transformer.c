// TEST np=1 timeout=300
/* The transformer against its plain twin, on random models with every option and awkward sizes. Also: a row's results
 * have the same bytes in any call, samples can share a prefix, a copied sample continues like the original, and
 * get_bytes agrees with what is allocated. */
#include <omp.h>
#include <stdlib.h>

#include "tests/support/forward.h"
#include "tests/support/random_model.h"
#include "tests/support/tap.h"
#include "tests/support/transformer_twin.h"

enum { MAX_BATCH = 4, MAX_TEXT = 32, MAX_IMAGE = 256 };

typedef struct {
  const char *name;
  atl_transformer_config_t config;
} case_t;

#define F ATL_ATTENTION_FULL
#define R ATL_ATTENTION_AXIAL_ROW
#define C ATL_ATTENTION_AXIAL_COL
#define V ATL_ATTENTION_CONV_LIKE
#define SIZES(D, L, H, E, T, f)                                                                                        \
  .width = D, .n_layers = L, .n_heads = H, .head_size = E, .text_length = T, .image_side = f, .n_text_tokens = 50,     \
  .n_image_tokens = 37
#define ALONE .attention_owner = {0, 1, 2, 3, 4, 5}, .feed_forward_owner = {0, 1, 2, 3, 4, 5}

/* Together they cover each kind of attention with images wider and narrower than its window and than a block of keys,
 * widths not divisible by 2, 4, 8 and 16, and every switch on and off. */
static const case_t all_cases[] = {
    {"every kind, shift and rotary",
     {SIZES(70, 4, 3, 20, 5, 7), .shift_tokens = true, .rotary = true, .attention = {F, R, C, V}, ALONE}},
    {"sandwich norm, wide image", {SIZES(33, 4, 2, 9, 19, 9), .sandwich_norm = true, .attention = {V, C, R, F}, ALONE}},
    {"reversible, stable, sandwich norm, shift",
     {SIZES(41, 3, 2, 8, 16, 6), .reversible = true, .stable = true, .sandwich_norm = true, .shift_tokens = true,
      .attention = {C, V, R}, ALONE}},
    {"shared modules and embeddings",
     {SIZES(48, 5, 2, 16, 3, 5), .shift_tokens = true, .rotary = true, .share_embeddings = true,
      .attention = {F, R, F, R, F}, .attention_owner = {0, 1, 0, 1, 0}, .feed_forward_owner = {0, 0, 2, 2, 0}}},
    {"rows as long as a block, reversible, rotary",
     {SIZES(24, 4, 1, 22, 7, 16), .reversible = true, .rotary = true, .attention = {V, R, C, F}, ALONE}},
    {"one text token, one row",
     {SIZES(3, 2, 1, 6, 1, 2), .shift_tokens = true, .stable = true, .rotary = true, .attention = {V, C}, ALONE}},
};
#undef F
#undef R
#undef C
#undef V

/* The case being tested: its sequences, and the reference logits(B,N,V). */
typedef struct {
  const char *name;
  const atl_model_t *model;
  const atl_transformer_config_t *config;
  int32_t n_batch, n_rows;
  int64_t n_ids;
  int32_t text[MAX_BATCH][MAX_TEXT], image[MAX_BATCH][MAX_IMAGE];
  float *want, *got, *call;
  uint64_t state;
} work_t;

static int32_t random_below(uint64_t *state, int32_t n) {
  return (int32_t)((double)(random_number(state) + 1.0f) / 2 * n);
}

static bool say(const work_t *w, bool is_ok, const char *what) {
  char name[160];
  snprintf(name, sizeof name, "%s: %s", w->name, what);
  return TAP_OK(is_ok, name);
}

static size_t logits_bytes(const work_t *w) {
  return (size_t)w->n_batch * (size_t)w->n_rows * (size_t)w->n_ids * sizeof(float);
}

/* Runs all rows in calls of random size, in a random order that keeps each sequence's own order. */
static void run_shuffled(work_t *w, forward_t *f, const int32_t *prefix_of, int32_t n_most) {
  int32_t next[MAX_BATCH] = {0}, tokens[256], n_text = w->config->text_length + 1, n_left = w->n_batch * w->n_rows;
  atl_row_t rows[256];
  int64_t home[256];
  for (int32_t i = 0; i < w->n_batch; i++) forward_bind(f, i, prefix_of[i]);
  while (n_left > 0) {
    int32_t n = 0, wanted = 1 + random_below(&w->state, n_most);
    while (n < wanted && n_left > 0) {
      int32_t b = random_below(&w->state, w->n_batch), burst = 1 + random_below(&w->state, 9);
      for (; burst > 0 && n < wanted && next[b] < w->n_rows; burst--, n_left--) {
        int32_t p = next[b]++;
        if (p < n_text && prefix_of[b] != b) { /* another sequence computes this text; wait for it */
          if (next[prefix_of[b]] <= p) {
            next[b]--;
            break;
          }
          continue;
        }
        forward_list(w->config, &rows[n], &tokens[n], b, w->text[b], w->image[b], p, p + 1);
        home[n++] = (int64_t)b * w->n_rows + p;
      }
    }
    if (n == 0) continue;
    forward_rows(f, w->call, rows, tokens, n);
    for (int32_t i = 0; i < n; i++)
      memcpy(w->got + home[i] * w->n_ids, w->call + i * w->n_ids, (size_t)w->n_ids * sizeof *w->got);
  }
  for (int32_t i = 0; i < w->n_batch; i++) /* a shared text is computed once */
    if (prefix_of[i] != i)
      memcpy(w->got + (int64_t)i * w->n_rows * w->n_ids, w->got + (int64_t)prefix_of[i] * w->n_rows * w->n_ids,
             (size_t)(n_text * w->n_ids) * sizeof *w->got);
}

/* fp32 sums of up to 280 products of magnitude around 1, through up to 5 layers. */
static const double tolerance = 5e-5;

static void check_twin(work_t *w) {
  for (int32_t i = 0; i < w->n_batch; i++)
    twin_logits(w->model, w->want + (int64_t)i * w->n_rows * w->n_ids, w->text[i], w->image[i], w->n_rows);
  const int32_t own[] = {0, 1, 2, 3};
  forward_t f;
  forward_spec_t spec = {.n_stages = 1, .n_prefixes = w->n_batch, .n_samples = w->n_batch, .max_rows = 64};
  TAP_STATUS(ATL_OK, forward_init(&f, w->model, &spec), "the model loads");
  run_shuffled(w, &f, own, 64);
  char name[160];
  snprintf(name, sizeof name, "%s: logits agree with the plain twin", w->name);
  TAP_CLOSE(w->got, w->want, logits_bytes(w) / sizeof(float), tolerance, name);
  memcpy(w->want, w->got, logits_bytes(w)); /* later checks compare bytes with these */
  forward_clear(&f);
}

/* Compares logits in bf16 with those in fp32, in `want`, and then stores them there. Activations are rounded to 8 bits
 * a few dozen times, and logits are a few units in size. */
static void check_bf16(work_t *w) {
  double sum = 0, sum_squares = 0;
  size_t n = logits_bytes(w) / sizeof(float);
  for (size_t i = 0; i < n; i++) {
    if (w->want[i] < -1e38f) continue;
    double difference = (double)w->got[i] - (double)w->want[i];
    sum += difference * difference;
    sum_squares += (double)w->want[i] * (double)w->want[i];
  }
  say(w, sqrt(sum / sum_squares) < 0.03, "bf16 logits are within 3 % of fp32");
  printf("# bf16 off by %.3g of the logits' size\n", sqrt(sum / sum_squares));
  memcpy(w->want, w->got, logits_bytes(w));
}

/* Any grouping of rows, number of stages and threads, and instruction set gives the same bytes; with bf16, those of the
 * first run. */
static void check_bytes(work_t *w, atl_dtype_t dtype) {
  static const struct {
    int n_stages, n_threads;
    int32_t n_most;
    atl_backend_t backend;
    const char *what;
  } runs[] = {{1, 1, 1, ATL_BACKEND_AUTO, "row by row"},
              {2, 2, 256, ATL_BACKEND_AUTO, "large calls, two stages, two threads"},
              {3, 2, 17, ATL_BACKEND_AUTO, "mixed calls, three stages"},
              {1, 2, 64, ATL_BACKEND_PLAIN, "plain kernels"},
              {1, 2, 64, ATL_BACKEND_AVX2, "AVX2 kernels"}};
  const int32_t own[] = {0, 1, 2, 3};
  int n_before = omp_get_max_threads();
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    bool is_own_bits = runs[i].backend != ATL_BACKEND_AUTO && dtype == ATL_BF16; /* vdpbf16ps rounds differently */
    if (runs[i].n_stages > w->config->n_layers || is_own_bits) continue;
    if (!atl_backend_is_available(runs[i].backend, dtype)) continue;
    omp_set_num_threads(runs[i].n_threads);
    forward_t f;
    forward_spec_t spec = {.n_stages = runs[i].n_stages,
                           .n_prefixes = w->n_batch + 1,
                           .n_samples = w->n_batch + 2,
                           .max_rows = runs[i].n_most,
                           .dtype = dtype,
                           .kv = dtype,
                           .backend = runs[i].backend};
    TAP_STATUS(ATL_OK, forward_init(&f, w->model, &spec), "the stages load");
    run_shuffled(w, &f, own, runs[i].n_most);
    if (dtype == ATL_BF16 && i == 0) check_bf16(w);
    say(w, memcmp(w->want, w->got, logits_bytes(w)) == 0, runs[i].what);
    if (runs[i].n_stages == 2) {
      run_shuffled(w, &f, own, runs[i].n_most);
      say(w, memcmp(w->want, w->got, logits_bytes(w)) == 0, "a second run over the same caches gives the same bytes");
    }
    forward_clear(&f);
  }
  omp_set_num_threads(n_before);
}

/* Samples that share one prefix have the same bytes as samples with separate prefixes of the same text. */
static void check_prefix(work_t *w) {
  const int32_t own[] = {0, 1, 2, 3}, shared[] = {0, 0, 0, 0};
  forward_t f;
  forward_spec_t spec = {.n_stages = 1, .n_prefixes = w->n_batch, .n_samples = w->n_batch, .max_rows = 64};
  TAP_STATUS(ATL_OK, forward_init(&f, w->model, &spec), "the model loads");
  for (int32_t i = 1; i < w->n_batch; i++) memcpy(w->text[i], w->text[0], sizeof w->text[0]);
  run_shuffled(w, &f, own, 64);
  memcpy(w->want, w->got, logits_bytes(w));
  run_shuffled(w, &f, shared, 64);
  say(w, memcmp(w->want, w->got, logits_bytes(w)) == 0, "samples that share a prefix have the same bytes");
  forward_clear(&f);
}

/* Sample 1, copied from sample 0 after n image tokens, continues like sample 0, whose bytes `want` holds. */
static void check_copy(work_t *w) {
  int32_t n_text = w->config->text_length + 1, tokens[MAX_TEXT + MAX_IMAGE];
  atl_row_t rows[MAX_TEXT + MAX_IMAGE];
  forward_t f;
  forward_spec_t spec = {.n_stages = 1, .n_prefixes = 2, .n_samples = 2, .max_rows = w->n_rows};
  TAP_STATUS(ATL_OK, forward_init(&f, w->model, &spec), "the model loads");
  bool is_same = true;
  for (int32_t n_seen = 0; n_seen < w->n_rows - n_text; n_seen += 1 + w->config->image_side / 2) {
    forward_bind(&f, 0, 1);
    forward_list(w->config, rows, tokens, 0, w->text[0], w->image[0], 0, n_text + n_seen);
    for (int32_t i = 0; i < n_text; i++) rows[i].sequence = 1;
    forward_rows(&f, w->call, rows, tokens, n_text + n_seen);
    atl_transformer_copy(f.stages[0], 1, 0, n_seen);
    int32_t n = forward_list(w->config, rows, tokens, 1, w->text[0], w->image[0], n_text + n_seen, w->n_rows);
    forward_rows(&f, w->call, rows, tokens, n);
    is_same &= memcmp(w->call, w->want + (n_text + n_seen) * w->n_ids, (size_t)(n * w->n_ids) * sizeof(float)) == 0;
  }
  say(w, is_same, "a copied sample continues like the original");
  forward_clear(&f);
}

/* get_bytes against what `new` allocates. An arena grows in chunks of 64 KiB, and each linear layer has its own arena.
 */
static void check_bytes_counted(work_t *w, atl_dtype_t dtype) {
  atl_transformer_part_t part = {.end_layer = w->config->n_layers,
                                 .n_prefixes = 700,
                                 .n_samples = 900,
                                 .max_rows = 1200,
                                 .dtype = dtype,
                                 .kv = dtype};
  atl_transformer_bytes_t bytes;
  atl_transformer_t *t;
  atl_transformer_get_bytes(w->config, &part, &bytes);
  size_t before = atl_memory_in_use_bytes();
  TAP_STATUS(ATL_OK, atl_transformer_new(w->model, &part, &t), "the model loads");
  size_t taken = atl_memory_in_use_bytes() - before;
  size_t counted = bytes.weights + 700 * bytes.per_prefix + 900 * bytes.per_sample + bytes.scratch;
  size_t slack = (size_t)(4 * w->config->n_layers + 4) * 160 * 1024 + 512 * 1024;
  say(w, taken >= counted && taken - counted < slack, "get_bytes predicts the bytes allocated");
  printf("# predicted %zu, allocated %zu\n", counted, taken);
  atl_transformer_destroy(&t);
}

/* The n-th allocation fails, for every n: `new` returns MEMORY and frees everything. */
static void check_no_memory(work_t *w) {
  atl_transformer_part_t part = {
      .end_layer = w->config->n_layers, .n_prefixes = 1, .n_samples = 1, .max_rows = 4, .dtype = ATL_F32};
  atl_transformer_t *t = NULL;
  size_t before = atl_memory_in_use_bytes();
  atl_status_t status = ATL_MEMORY;
  bool is_clean = true;
  int n = 0;
  while (status == ATL_MEMORY && n < 10000) {
    atl_memory_fail_after(++n);
    status = atl_transformer_new(w->model, &part, &t);
    if (status == ATL_MEMORY) is_clean &= t == NULL && atl_memory_in_use_bytes() == before;
  }
  atl_memory_fail_after(0);
  say(w, status == ATL_OK && n > 1 && is_clean, "a failure of any allocation is reported and leaks nothing");
  printf("# %d allocations\n", n - 1);
  atl_transformer_destroy(&t);
}

/* Tensors that do not fit the configuration. */
static void check_refusals(work_t *w) {
  atl_model_t model = *w->model;
  atl_transformer_t *t = NULL;
  atl_transformer_part_t part = {.end_layer = w->config->n_layers, .n_prefixes = 1, .n_samples = 1, .max_rows = 4};
  model.transformer_config.width++;
  TAP_STATUS(ATL_INPUT, atl_transformer_new(&model, &part, &t), "a wrong width is refused");
  printf("# %s\n", atl_status_message());
  model.transformer_config = *w->config;
  model.transformer_config.sandwich_norm = !w->config->sandwich_norm;
  if (model.transformer_config.sandwich_norm) {
    TAP_STATUS(ATL_INPUT, atl_transformer_new(&model, &part, &t), "a missing tensor is refused");
    TAP_OK(strstr(atl_status_message(), "norm_out.weight") != NULL, "the message names the missing tensor");
    printf("# %s\n", atl_status_message());
  }
  model.has_transformer = false;
  TAP_STATUS(ATL_INPUT, atl_transformer_new(&model, &part, &t), "a model without transformer is refused");
  TAP_OK(t == NULL, "a refused model gives NULL");
}

static atl_status_t begin(work_t *w, const case_t *is, const random_model_t *random) {
  *w = (work_t){.name = is->name, .model = &random->model, .config = &random->model.transformer_config, .n_batch = 3};
  w->n_rows = w->config->text_length + atl_config_image_length(w->config);
  w->n_ids = atl_config_vocabulary(w->config);
  w->state = 7;
  for (int32_t b = 0; b < w->n_batch; b++) {
    for (int32_t i = 0; i < MAX_TEXT; i++)
      w->text[b][i] = random_below(&w->state, 3) == 0 ? 0 : random_below(&w->state, 50);
    for (int32_t i = 0; i < MAX_IMAGE; i++) w->image[b][i] = random_below(&w->state, 37);
  }
  ATL_TRY(atl_memory_new(1, logits_bytes(w), (void **)&w->want));
  ATL_TRY(atl_memory_new(1, logits_bytes(w), (void **)&w->got));
  return ATL_NEW((MAX_TEXT + MAX_IMAGE) * w->n_ids, &w->call);
}

static void check_case(const case_t *is, uint64_t seed) {
  static random_model_t random;
  static work_t w;
  char path[64];
  snprintf(path, sizeof path, "/tmp/atl-transformer-%ld.safetensors", (long)getpid());
  TAP_STATUS(ATL_OK, random_model_init(&random, &is->config, path, seed), "a random model is written");
  if (TAP_STATUS(ATL_OK, begin(&w, is, &random), "memory is allocated")) {
    check_twin(&w);
    check_bytes(&w, ATL_F32);
    check_prefix(&w);
    check_copy(&w);
    check_bytes_counted(&w, ATL_F32);
    check_bytes(&w, ATL_BF16);
    check_bytes_counted(&w, ATL_BF16);
    check_no_memory(&w);
    check_refusals(&w);
  }
  ATL_DESTROY(&w.want);
  ATL_DESTROY(&w.got);
  ATL_DESTROY(&w.call);
  random_model_clear(&random);
}

int main(void) {
  for (size_t i = 0; i < sizeof all_cases / sizeof *all_cases; i++) check_case(&all_cases[i], i);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing is leaked");
  return tap_done();
}
