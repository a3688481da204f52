/* pictures: measures the time per picture of dVAE decoding and of CLIP, for calls of several pictures. Prints the
 * median and the fastest of REPEATS calls.
 *
 *     OMP_NUM_THREADS=1 build/release/tests/bench/pictures MODEL [bf16]
 */
#include <string.h>

#include "common/memory.h"
#include "common/sort.h"
#include "common/timer.h"
#include "model/clip/clip.h"
#include "model/vae/dvae.h"

enum { REPEATS = 5, MAX_BATCH = 8 };

static const int32_t batches[] = {1, 4, MAX_BATCH};

typedef struct {
  const atl_model_t *model;
  atl_dtype_t dtype;
  atl_dvae_t *vae;
  atl_clip_t *clip;
  int32_t *codes, *ids; /* (MAX_BATCH,I), (context) */
  float *pixels, *images, *features;
} bench_t;

static void report(const char *what, int32_t n, double *seconds) {
  double median = atl_sort_median(seconds, REPEATS); /* sorts: seconds[0] is the fastest */
  printf("%-12s batch %d: %6.1f ms per picture (fastest %.1f)\n", what, n, 1e3 * median / n, 1e3 * seconds[0] / n);
}

static void decode(bench_t *b, int32_t n) { (void)atl_dvae_decode(b->vae, b->pixels, b->codes, n); }
static void embed_images(bench_t *b, int32_t n) { atl_clip_image_features(b->clip, b->features, b->images, n); }
static void embed_text(bench_t *b, int32_t n) { (void)atl_clip_text_features(b->clip, b->features, b->ids, n); }

static void measure(bench_t *b, const char *what, void (*call)(bench_t *, int32_t), int32_t n) {
  double seconds[REPEATS];
  call(b, n);
  for (int i = 0; i < REPEATS; i++) {
    double start = atl_timer_now();
    call(b, n);
    seconds[i] = atl_timer_now() - start;
  }
  report(what, n, seconds);
}

static atl_status_t take_memory(bench_t *b) {
  const atl_vae_config_t *vae = &b->model->vae_config;
  const atl_clip_config_t *clip = &b->model->clip_config;
  int64_t side = vae->image_size >> vae->n_layers, n_pixels = (int64_t)vae->image_size * vae->image_size;
  int64_t image = 3 * (int64_t)clip->image_size * clip->image_size;
  ATL_TRY(ATL_NEW(MAX_BATCH * side * side, &b->codes));
  ATL_TRY(ATL_NEW(MAX_BATCH * n_pixels * vae->n_channels, &b->pixels));
  ATL_TRY(ATL_NEW(MAX_BATCH * image, &b->images));
  ATL_TRY(ATL_NEW(clip->context_length, &b->ids));
  ATL_TRY(ATL_NEW(MAX_BATCH * clip->embedding_width, &b->features));
  for (int64_t i = 0; i < MAX_BATCH * side * side; i++) b->codes[i] = (int32_t)(i * 7919 % vae->n_tokens);
  for (int64_t i = 0; i < MAX_BATCH * image; i++) b->images[i] = (float)(i * 7919 % 1001) / 500 - 1;
  for (int32_t i = 0; i < 7; i++) b->ids[i] = 100 + i; /* a short text; the last id ends it */
  return ATL_OK;
}

static atl_status_t run(bench_t *b) {
  ATL_TRY(atl_dvae_new(b->model, ATL_DVAE_DECODER, &b->vae));
  ATL_TRY(atl_clip_new(b->model, b->dtype, &b->clip));
  ATL_TRY(take_memory(b));
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) measure(b, "dVAE decode", decode, batches[i]);
  for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) measure(b, "CLIP image", embed_images, batches[i]);
  measure(b, "CLIP text", embed_text, 1);
  return ATL_OK;
}

int main(int argc, char **argv) {
  bench_t b = {.dtype = argc == 3 ? atl_dtype_find(argv[2], strlen(argv[2])) : ATL_F32};
  atl_model_t *model = NULL;
  atl_status_t status = argc >= 2 && argc <= 3 && b.dtype != ATL_N_DTYPES ? atl_model_open(argv[1], &model) : ATL_USAGE;
  b.model = model;
  if (status == ATL_OK) status = run(&b);
  if (status != ATL_OK) fprintf(stderr, "%s\n", model ? atl_status_message() : "usage: pictures MODEL [bf16]");
  atl_dvae_destroy(&b.vae);
  atl_clip_destroy(&b.clip);
  ATL_DESTROY(&b.codes);
  ATL_DESTROY(&b.ids);
  ATL_DESTROY(&b.pixels);
  ATL_DESTROY(&b.images);
  ATL_DESTROY(&b.features);
  atl_model_destroy(&model);
  return status != ATL_OK;
}
