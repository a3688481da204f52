/* The two encoders, and what turns their features into a score. */
#include "model/clip/clip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "model/clip/clip_private.h"
#include "model/kernels/norm/norm.h"
#include "model/vision/preprocess.h"

static const float the_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
static const float the_std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

struct atl_clip {
  atl_clip_config_t config;
  double scale; /* exp(logit_scale) */
  atl_clip_text_t *text;
  atl_clip_vit_t *vit; /* or */
  atl_clip_resnet_t *resnet;
};

atl_status_t atl_clip_bind(const atl_clip_source_t *source, const char *tail, const int64_t shape[4],
                           const float **address) {
  char name[ATL_CLIP_NAME_BYTES];
  snprintf(name, sizeof name, "%s%s", source->prefix, tail);
  atl_binding_t binding = {.name = name, .address = address};
  while (binding.n_dims < 4 && shape[binding.n_dims] != 0) {
    binding.shape[binding.n_dims] = shape[binding.n_dims];
    binding.n_dims++;
  }
  return atl_binding_bind(source->file, source->arena, &binding, 1);
}

/* Packed weights replace the converted ones at once, so a half-precision file is never held whole in fp32. */
atl_status_t atl_clip_bind_linear(const atl_clip_source_t *source, const char *weight, const char *bias, int64_t n_out,
                                  int64_t n_in, atl_activation_t activation, atl_linear_t **linear) {
  atl_arena_t converted = {0};
  atl_clip_source_t temporary = *source;
  temporary.arena = &converted;
  atl_linear_spec_t spec = {.n_out = n_out, .n_in = n_in, .dtype = source->dtype, .activation = activation};
  atl_status_t status = atl_clip_bind(&temporary, weight, (int64_t[4]){n_out, n_in}, &spec.weight);
  if (status == ATL_OK && bias) status = atl_clip_bind(&temporary, bias, (int64_t[4]){n_out}, &spec.bias);
  if (status == ATL_OK) status = atl_linear_new(&spec, linear);
  atl_arena_clear(&converted);
  return status;
}

static atl_status_t new_transposed(const float *projection, const atl_clip_source_t *source, int64_t n_in,
                                   int64_t n_out, atl_linear_t **linear) {
  float *transposed;
  ATL_TRY(ATL_TAKE(source->arena, n_in * n_out, &transposed));
  for (int64_t i = 0; i < n_in; i++)
    for (int64_t o = 0; o < n_out; o++) transposed[o * n_in + i] = projection[i * n_out + o];
  const atl_linear_spec_t spec = {.weight = transposed, .n_out = n_out, .n_in = n_in, .dtype = source->dtype};
  return atl_linear_new(&spec, linear);
}

atl_status_t atl_clip_bind_projection(const atl_clip_source_t *source, const char *name, int64_t n_in, int64_t n_out,
                                      atl_linear_t **linear) {
  atl_arena_t converted = {0};
  atl_clip_source_t temporary = *source;
  temporary.arena = &converted;
  const float *projection;
  atl_status_t status = atl_clip_bind(&temporary, name, (int64_t[4]){n_in, n_out}, &projection);
  if (status == ATL_OK) status = new_transposed(projection, &temporary, n_in, n_out, linear);
  atl_arena_clear(&converted);
  return status;
}

static atl_status_t build(atl_clip_t *clip, const atl_model_t *model, atl_dtype_t dtype) {
  const float *logit_scale;
  const atl_binding_t binding = {"logit_scale", 0, {0}, &logit_scale};
  atl_arena_t converted = {0};
  atl_status_t status = atl_binding_bind(model->clip, &converted, &binding, 1);
  if (status == ATL_OK) clip->scale = exp((double)*logit_scale);
  atl_arena_clear(&converted);
  ATL_TRY(status);
  ATL_TRY(atl_clip_text_new(model->clip, &clip->config, dtype, &clip->text));
  if (clip->config.is_resnet) return atl_clip_resnet_new(model->clip, &clip->config, dtype, &clip->resnet);
  return atl_clip_vit_new(model->clip, &clip->config, dtype, &clip->vit);
}

atl_status_t atl_clip_new(const atl_model_t *model, atl_dtype_t dtype, atl_clip_t **clip) {
  *clip = NULL;
  ATL_CHECK(model->has_clip, INPUT, "%s: the model has no CLIP; add one with atelier convert --clip", model->directory);
  ATL_TRY(ATL_NEW(1, clip));
  (*clip)->config = model->clip_config;
  atl_status_t status = build(*clip, model, dtype);
  if (status != ATL_OK) atl_clip_destroy(clip);
  return status;
}

void atl_clip_destroy(atl_clip_t **clip) {
  if (!*clip) return;
  atl_clip_text_destroy(&(*clip)->text);
  atl_clip_vit_destroy(&(*clip)->vit);
  atl_clip_resnet_destroy(&(*clip)->resnet);
  ATL_DESTROY(clip);
}

atl_status_t atl_clip_preprocess(atl_clip_t *clip, float *out, const uint8_t *rgb, int32_t height, int32_t width) {
  int32_t n = clip->config.image_size;
  uint8_t *square;
  ATL_TRY(ATL_NEW((size_t)n * (size_t)n * 3, &square));
  atl_status_t status = atl_preprocess_square(square, n, rgb, height, width, 3);
  if (status == ATL_OK) atl_preprocess_planes(out, square, n, 3, the_mean, the_std);
  ATL_DESTROY(&square);
  return status;
}

void atl_clip_image_features(atl_clip_t *clip, float *features, const float *images, int32_t n) {
  if (clip->resnet)
    atl_clip_resnet_run(clip->resnet, features, images, n);
  else
    atl_clip_vit_run(clip->vit, features, images, n);
  atl_norm_unit(features, features, n, clip->config.embedding_width);
}

atl_status_t atl_clip_text_features(atl_clip_t *clip, float *features, const int32_t *ids, int32_t n) {
  int64_t context = clip->config.context_length, width = clip->config.embedding_width;
  for (int64_t i = 0; i < n * context; i++)
    ATL_CHECK(ids[i] >= 0 && ids[i] < clip->config.vocabulary, INPUT,
              "CLIP text id %d at %lld: expected 0..%d; the tokenizer does not fit this CLIP", ids[i], (long long)i,
              clip->config.vocabulary - 1);
  for (int32_t i = 0; i < n; i++) atl_clip_text_run(clip->text, features + i * width, ids + i * context);
  atl_norm_unit(features, features, n, width);
  return ATL_OK;
}

float atl_clip_score(const atl_clip_t *clip, const float *image_features, const float *text_features) {
  double dot = 0;
  for (int32_t i = 0; i < clip->config.embedding_width; i++)
    dot += (double)image_features[i] * (double)text_features[i];
  return (float)(clip->scale * dot);
}

size_t atl_clip_bytes(const atl_clip_t *clip) {
  return atl_clip_text_bytes(clip->text) +
         (clip->resnet ? atl_clip_resnet_bytes(clip->resnet) : atl_clip_vit_bytes(clip->vit));
}
