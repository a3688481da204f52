/* steps: measures one sampling step at three positions of the image, with a random model of 12 layers of width 1024, 16
 * heads of 64, 256 text and 1024 image tokens, and SAMPLES [32] samples of one prompt. Prints tokens/s and the time of
 * each part of a step. ATTENTION is a number of atl_attention_kind_t [0: full].
 *
 *     build/release/tests/bench/steps [bf16] [ATTENTION] [SAMPLES] [int8]
 */
#include <stdlib.h>
#include <time.h>

#include "tests/support/forward.h"
#include "tests/support/random_model.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct {
  double last, spent[5];
  int n;
} clock_parts_t;

/* Progress callback of the transformer: adds the time since the last call to one of a layer's five parts, which it
 * calls between in a fixed order. */
static void tick(void *context) {
  clock_parts_t *parts = context;
  double t = now();
  parts->spent[parts->n++ % 5] += t - parts->last;
  parts->last = t;
}

static atl_transformer_config_t config_of(atl_attention_kind_t kind) {
  atl_transformer_config_t c = {.width = 1024,
                                .n_layers = 12,
                                .n_heads = 16,
                                .head_size = 64,
                                .text_length = 256,
                                .n_text_tokens = 10000,
                                .rotary = true,
                                .shift_tokens = true,
                                .image_side = 32,
                                .n_image_tokens = 8192};
  for (int i = 0; i < c.n_layers; i++) {
    c.attention[i] = kind;
    c.attention_owner[i] = c.feed_forward_owner[i] = i;
  }
  return c;
}

static void time_position(forward_t *f, float *logits, int32_t token, int32_t n_samples) {
  atl_row_t rows[256];
  int32_t tokens[256];
  double best = 1e9, best_head = 0;
  clock_parts_t best_parts = {0};
  for (int32_t i = 0; i < n_samples; i++) {
    rows[i] = (atl_row_t){i, 257 + token};
    tokens[i] = i;
  }
  for (int trial = 0; trial < 6; trial++) {
    clock_parts_t parts = {0};
    double start = now();
    atl_transformer_embed(f->stages[0], f->x, rows, tokens, n_samples);
    parts.last = now();
    atl_transformer_run(f->stages[0], f->x, rows, n_samples, tick, &parts);
    double head = now();
    atl_transformer_image_logits(f->stages[0], logits, f->x, n_samples);
    double end = now();
    if (end - start < best) {
      best = end - start;
      best_head = end - head;
      best_parts = parts;
    }
  }
  printf("position %4d: %6.1f ms, %6.1f tokens/s; ms: qkv %.1f attention %.1f out %.1f up %.1f down %.1f head %.1f\n",
         token, 1e3 * best, n_samples / best, 1e3 * best_parts.spent[0], 1e3 * best_parts.spent[1],
         1e3 * best_parts.spent[2], 1e3 * best_parts.spent[3], 1e3 * best_parts.spent[4], 1e3 * best_head);
}

int main(int argc, char **argv) {
  bool is_bf16 = argc > 1 && strcmp(argv[1], "bf16") == 0, is_int8 = argc > 4 && strcmp(argv[4], "int8") == 0;
  atl_dtype_t kv = is_int8 ? ATL_I8 : is_bf16 ? ATL_BF16 : ATL_F32;
  int kind = argc > 2 ? atoi(argv[2]) : 0, n_samples = argc > 3 ? atoi(argv[3]) : 32;
  atl_transformer_config_t config = config_of((atl_attention_kind_t)kind);
  static random_model_t random;
  forward_t f;
  forward_spec_t spec = {.n_stages = 1,
                         .n_prefixes = 1,
                         .n_samples = n_samples,
                         .max_rows = 257 > n_samples ? 257 : n_samples,
                         .dtype = is_bf16 ? ATL_BF16 : ATL_F32,
                         .kv = kv};
  if (random_model_init(&random, &config, "/dev/shm/atl-bench.safetensors", 2) != ATL_OK ||
      forward_init(&f, &random.model, &spec) != ATL_OK) {
    fprintf(stderr, "%s\n", atl_status_message());
    return 1;
  }
  random_model_clear(&random);
  atl_row_t rows[257];
  int32_t tokens[257] = {0}, text[256] = {0};
  float *logits;
  if (ATL_NEW(n_samples * config.n_image_tokens, &logits) != ATL_OK) return 1;
  forward_list(&config, rows, tokens, 0, text, NULL, 0, 257);
  double start = now();
  forward_run(&f, rows, tokens, 257);
  printf("%s, %s attention, %d samples; prefill of 257 rows: %.1f ms\n", is_bf16 ? "bf16" : "fp32",
         atl_attention_name(config.attention[0]), n_samples, 1e3 * (now() - start));
  for (int32_t i = 0; i < n_samples; i++) forward_bind(&f, i, 0);
  time_position(&f, logits, 1, n_samples);
  time_position(&f, logits, 512, n_samples);
  time_position(&f, logits, 1000, n_samples);
  ATL_DESTROY(&logits);
  forward_clear(&f);
  return 0;
}
