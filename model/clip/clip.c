/* Combines the picture and text encoders: normalises their features and computes scores. */
#include "model/clip/clip.h"

#include <math.h>

#include "common/arena.h"
#include "common/memory.h"
#include "model/clip/resnet.h"
#include "model/clip/text.h"
#include "model/clip/vit.h"
#include "model/kernels/norm/norm.h"
#include "model/vision/preprocess.h"

static const float k_mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
static const float k_std[3] = {0.26862954f, 0.26130258f, 0.27577711f};

struct atl_clip {
  atl_clip_config_t config;
  double scale; /* exp(logit_scale) */
  atl_clip_text_t *text;
  atl_clip_vit_t *vit; /* this or resnet is not NULL */
  atl_clip_resnet_t *resnet;
};

static atl_status_t read_scale(atl_clip_t *clip, const atl_clip_source_t *source) {
  atl_arena_t converted = {0};
  atl_status_t status = ATL_WEIGHTS_BIND(source->weights, &converted, source->tensors->logit_scale);
  if (status == ATL_OK) clip->scale = exp((double)*source->tensors->logit_scale.value);
  atl_arena_clear(&converted);
  return status;
}

static atl_status_t read_towers(atl_clip_t *clip, const atl_clip_source_t *source) {
  ATL_TRY(read_scale(clip, source));
  ATL_TRY(atl_clip_text_new(source, &clip->config, &clip->text));
  if (clip->config.is_resnet) return atl_clip_resnet_new(source, &clip->config, &clip->resnet);
  return atl_clip_vit_new(source, &clip->config, &clip->vit);
}

static atl_status_t init(atl_clip_t *clip, const atl_model_t *model, atl_dtype_t dtype) {
  atl_clip_tensors_t tensors = {0};
  atl_weights_t weights;
  atl_status_t status = atl_weights_open(&atl_clip_table, &clip->config, model->clip, &tensors, &weights);
  const atl_clip_source_t source = {.weights = &weights, .tensors = &tensors, .dtype = dtype};
  if (status == ATL_OK) status = read_towers(clip, &source);
  atl_weights_close(&weights);
  return status;
}

atl_status_t atl_clip_new(const atl_model_t *model, atl_dtype_t dtype, atl_clip_t **clip) {
  *clip = NULL;
  ATL_CHECK(model->has_clip, INPUT, "%s: the model has no CLIP; add one with atelier convert --clip", model->directory);
  ATL_TRY(ATL_NEW(1, clip));
  (*clip)->config = model->clip_config;
  atl_status_t status = init(*clip, model, dtype);
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
  if (status == ATL_OK) atl_preprocess_planes(out, square, n, 3, k_mean, k_std);
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

/* Bytes of the packed linear layer or convolution of a tensor, with the rounding of its arena and of large blocks. */
static int64_t packed_bytes(const atl_table_entry_t *entry, const void *context) {
  const atl_dtype_t *dtype = context;
  const atl_linear_spec_t spec = {
      .n_out = entry->shape[0], .n_in = (int64_t)atl_table_n_items(entry) / entry->shape[0], .dtype = *dtype};
  return (int64_t)(atl_linear_get_bytes(&spec) + ATL_ARENA_CHUNK_BYTES +
                   atl_memory_rounding_bytes(atl_table_n_items(entry) * atl_dtype_bytes(*dtype)));
}

size_t atl_clip_memory(const atl_clip_config_t *config, atl_dtype_t dtype) {
  int64_t bytes = atl_table_sum(&atl_clip_table, config, 1 << ATL_TENSOR_WEIGHT, packed_bytes, &dtype);
  int64_t n = atl_table_n_parameters(&atl_clip_table, config, "", 1 << ATL_TENSOR_TABLE);
  n += config->is_resnet ? atl_clip_resnet_scratch_items(config) : atl_clip_vit_scratch_items(config);
  return (size_t)bytes + (size_t)n * sizeof(float);
}
