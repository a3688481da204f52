// TEST np=1
// CLIP against the reference: preprocessing, features and scores of the ViT (both checkpoint formats, every picture
// size) and of the ResNet. A picture's features must not depend on its batch.
#include "model/clip/clip.h"

#include <omp.h>

#include "common/memory.h"
#include "tests/support/convert.h"
#include "tests/support/tap.h"

typedef struct {
  atl_dtype_t dtype;
  double features, scores; /* largest errors */
} bounds_t;

/* fp32: the project's bounds; features are unit vectors, scores are 14 to 100 times their cosine. bf16: one rounding
 * has a relative error of up to 2^-9 = 0.002; errors of at most 0.0035 in features and 0.12 in scores were measured,
 * and the bounds are about three times that. */
static const bounds_t default_bounds[] = {{ATL_F32, 2e-5, 5e-3}, {ATL_BF16, 0.01, 0.3}};
/* The shipped model: its matrices are rounded to f16, a relative error of up to 2^-12 per weight, which changes scores
 * by up to 0.006 and features by 0.0001 (measured); three times that is allowed. With bf16 this is negligible. */
static const bounds_t shipped_bounds[] = {{ATL_F32, 3e-4, 0.02}, {ATL_BF16, 0.01, 0.3}};

typedef struct {
  const bounds_t *bounds;
  atl_safetensors_t *in, *want;
  int32_t n_images, n_texts;
  size_t image_items, width;
  float *images, *features, *text_features, *scores, *expected;
} numbers_t;

static void compare(const numbers_t *n, const char *name, const float *got, size_t n_items, double bound) {
  const atl_tensor_t *want = atl_safetensors_find(n->want, name);
  if (!want) return;
  atl_tensor_get_f32(want, 0, n_items, n->expected);
  TAP_CLOSE(got, n->expected, n_items, bound, name);
}

static atl_status_t take_memory(numbers_t *n, const atl_clip_config_t *config) {
  size_t size = (size_t)config->image_size, n_images = (size_t)n->n_images, n_texts = (size_t)n->n_texts;
  n->image_items = 3 * size * size, n->width = (size_t)config->embedding_width;
  ATL_TRY(ATL_NEW(n_images * n->image_items, &n->images));
  ATL_TRY(ATL_NEW(n_images * n->width, &n->features));
  ATL_TRY(ATL_NEW(n_texts * n->width, &n->text_features));
  ATL_TRY(ATL_NEW(n_images * n_texts, &n->scores));
  return ATL_NEW(n_images * n->image_items + (n_images + 1) * n_texts * n->width, &n->expected);
}

static void load_images(atl_clip_t *clip, numbers_t *n) {
  const atl_tensor_t *rgb = atl_safetensors_find(n->in, "clip_rgb");
  if (!rgb) {
    atl_tensor_get_f32(atl_safetensors_find(n->in, "clip_preprocessed"), 0, (size_t)n->n_images * n->image_items,
                       n->images);
    return;
  }
  int32_t height = (int32_t)rgb->shape[1], width = (int32_t)rgb->shape[2];
  const uint8_t *bytes = rgb->data;
  for (int32_t i = 0; i < n->n_images; i++)
    TAP_STATUS(ATL_OK,
               atl_clip_preprocess(clip, n->images + (size_t)i * n->image_items,
                                   bytes + (size_t)i * (size_t)height * (size_t)width * 3, height, width),
               "a picture is preprocessed");
  /* The reference divides and normalises in the same order, so only the last bit may differ. */
  compare(n, "preprocessed", n->images, (size_t)n->n_images * n->image_items, 1e-6);
}

static void run(atl_clip_t *clip, numbers_t *n) {
  const atl_tensor_t *text = atl_safetensors_find(n->in, "clip_text");
  size_t n_images = (size_t)n->n_images, n_texts = (size_t)n->n_texts;
  load_images(clip, n);
  atl_clip_image_features(clip, n->features, n->images, n->n_images);
  compare(n, "image_features", n->features, n_images * n->width, n->bounds->features);
  TAP_STATUS(ATL_OK, atl_clip_text_features(clip, n->text_features, text->data, n->n_texts), "texts are encoded");
  compare(n, "text_features", n->text_features, n_texts * n->width, n->bounds->features);
  for (size_t i = 0; i < n_images; i++)
    for (size_t j = 0; j < n_texts; j++)
      n->scores[i * n_texts + j] = atl_clip_score(clip, n->features + i * n->width, n->text_features + j * n->width);
  compare(n, "scores", n->scores, n_images * n_texts, n->bounds->scores);
  omp_set_num_threads(1);
  atl_clip_image_features(clip, n->expected, n->images + (n_images - 1) * n->image_items, 1);
  omp_set_num_threads(2);
  TAP_OK(memcmp(n->expected, n->features + (n_images - 1) * n->width, n->width * sizeof(float)) == 0,
         "a picture encoded alone on one thread has the same bits");
}

static void test_case(atl_clip_t *clip, const atl_clip_config_t *config, const bounds_t *bounds, const char *in,
                      const char *want) {
  numbers_t n = {.bounds = bounds};
  if (TAP_STATUS(ATL_OK, atl_safetensors_open(in, &n.in), in) &&
      TAP_STATUS(ATL_OK, atl_safetensors_open(want, &n.want), want)) {
    const atl_tensor_t *images = atl_safetensors_find(n.in, "clip_rgb");
    if (!images) images = atl_safetensors_find(n.in, "clip_preprocessed");
    n.n_images = (int32_t)images->shape[0], n.n_texts = (int32_t)atl_safetensors_find(n.in, "clip_text")->shape[0];
    if (take_memory(&n, config) == ATL_OK) run(clip, &n);
  }
  atl_safetensors_destroy(&n.in);
  atl_safetensors_destroy(&n.want);
  float **blocks[] = {&n.images, &n.features, &n.text_features, &n.scores, &n.expected};
  for (int i = 0; i < 5; i++) ATL_DESTROY(blocks[i]);
}

static void refuse(atl_clip_t *clip, const atl_clip_config_t *config) {
  int32_t ids[128] = {0};
  float features[4096];
  ids[1] = config->vocabulary;
  TAP_STATUS(ATL_INPUT, atl_clip_text_features(clip, features, ids, 1), "an id beyond the vocabulary is refused");
  ids[1] = -1;
  TAP_STATUS(ATL_INPUT, atl_clip_text_features(clip, features, ids, 1), "a negative id is refused");
}

/* Each allocation of `new` fails once. */
static void test_memory(const atl_model_t *model) {
  size_t before = atl_memory_in_use_bytes();
  atl_clip_t *clip = NULL;
  atl_status_t status = ATL_MEMORY;
  int n = 0, n_clean = 0;
  while (status == ATL_MEMORY && n < 5000) {
    atl_memory_fail_after(++n);
    status = atl_clip_new(model, ATL_F32, &clip);
    n_clean += status != ATL_MEMORY || (!clip && atl_memory_in_use_bytes() == before);
  }
  atl_memory_fail_after(0);
  TAP_OK(status == ATL_OK && n > 50 && n_clean == n, "a failure of any allocation is reported and leaks nothing");
  atl_clip_destroy(&clip);
}

static void test_precision(const atl_model_t *model, const bounds_t *bounds, const char *const (*cases)[2], int n) {
  atl_clip_t *clip = NULL;
  if (!TAP_STATUS(ATL_OK, atl_clip_new(model, bounds->dtype, &clip), atl_dtype_name(bounds->dtype))) return;
  TAP_OK(atl_clip_bytes(clip) > 0, "atl_clip_bytes is positive; its value is not checked");
  for (int i = 0; i < n; i++) test_case(clip, &model->clip_config, bounds, cases[i][0], cases[i][1]);
  refuse(clip, &model->clip_config);
  atl_clip_destroy(&clip);
}

/* cases(n): paths of inputs and expected results. bounds: one item per precision. */
static void test_checkpoint(const char *source, const char *const (*cases)[2], int n, const bounds_t *bounds) {
  converted_t converted;
  if (TAP_STATUS(ATL_OK, converted_open(&converted, source), source)) {
    for (int i = 0; i < 2; i++) test_precision(converted.model, &bounds[i], cases, n);
    test_memory(converted.model);
  }
  converted_close(&converted);
}

static void test_vit(const char *source) {
  static const char *const sizes[] = {"20x24", "32x32", "50x71", "64x64"};
  char path[512], in[4][512], want[4][512], name[64];
  const char *cases[4][2];
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "golden/clip-vit/in-%s.safetensors", sizes[i]);
    cases[i][0] = converted_fixture(in[i], name);
    snprintf(name, sizeof name, "golden/clip-vit/want-%s.safetensors", sizes[i]);
    cases[i][1] = converted_fixture(want[i], name);
  }
  test_checkpoint(converted_fixture(path, source), (const char *const(*)[2])cases, 4, default_bounds);
}

static void test_emoji(void) {
  char path[512], in[512], want[512];
  const char *const cases[1][2] = {
      {converted_fixture(in, "emoji/clip-in.safetensors"), converted_fixture(want, "emoji/clip-want.safetensors")}};
  const char *fp32 = getenv("ATL_EMOJI"); /* the trained model's fp32 checkpoint (tests/extra/emoji-fp32.sh) */
  test_checkpoint("weights/emoji", cases, 1, shipped_bounds);
  if (fp32 == NULL) return;
  snprintf(path, sizeof path, "%s/clip.pt", fp32);
  test_checkpoint(path, cases, 1, default_bounds);
}

int main(void) {
  const char *const resnet[1][2] = {
      {"tests/golden/clip-resnet/in.safetensors", "tests/golden/clip-resnet/want.safetensors"}};
  test_checkpoint("tests/golden/clip-resnet/clip.safetensors", resnet, 1, default_bounds);
  test_vit("golden/clip-vit/clip.pt");
  test_vit("golden/clip-vit/clip-torchscript.pt");
  test_emoji();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
