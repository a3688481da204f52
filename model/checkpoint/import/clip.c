/* CLIP's files have no configuration. Sizes follow from the shapes of a few tensors, depths from the number of blocks
 * that have tensors, and heads are 64 wide by convention. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/checkpoint/import/checkpoint.h"

typedef struct {
  const char *path;
  const atl_tensor_t *tensors;
  size_t n_tensors;
} source_t;

static const atl_tensor_t *find(const source_t *source, const char *name) {
  for (size_t i = 0; i < source->n_tensors; i++)
    if (strcmp(source->tensors[i].name, name) == 0) return &source->tensors[i];
  return NULL;
}

/* Size `dim` of a tensor that must have n_dims dimensions. */
static atl_status_t get_size(const source_t *source, const char *name, int n_dims, int dim, int32_t *size) {
  const atl_tensor_t *tensor = find(source, name);
  ATL_CHECK(tensor != NULL, INPUT, "%s: tensor %s is missing; is it OpenAI's CLIP?", source->path, name);
  char text[128];
  ATL_CHECK(tensor->n_dims == n_dims && tensor->shape[dim] >= 1 && tensor->shape[dim] <= INT32_MAX, INPUT,
            "%s: tensor %s: expected %d dimensions, found %s", source->path, name, n_dims,
            atl_tensor_describe(tensor, text, sizeof text));
  *size = (int32_t)tensor->shape[dim];
  return ATL_OK;
}

/* Number of tensors PREFIX0TAIL, PREFIX1TAIL, ... up to the first that is missing. */
static int32_t count(const source_t *source, const char *prefix, const char *tail) {
  char name[ATL_NAME_BYTES];
  int32_t n = 0;
  do snprintf(name, sizeof name, "%s%d%s", prefix, n, tail);
  while (find(source, name) != NULL && n++ < ATL_MAX_LAYERS);
  return n;
}

/* A tower has heads of size 64; one narrower than 64 has a single head. */
static atl_status_t get_heads(const source_t *source, int32_t width, int32_t *heads) {
  ATL_CHECK(width < 64 || width % 64 == 0, UNSUPPORTED,
            "%s: CLIP's width %d is not a multiple of its head size 64; the number of heads is unknown", source->path,
            width);
  *heads = width < 64 ? 1 : width / 64;
  return ATL_OK;
}

/* The side of the square grid of positions; the table has one more row, for the class token. */
static atl_status_t get_grid(const source_t *source, const char *name, int32_t *side) {
  int32_t rows;
  ATL_TRY(get_size(source, name, 2, 0, &rows));
  *side = (int32_t)lround(sqrt((double)rows - 1));
  ATL_CHECK(*side >= 1 && (int64_t)*side * *side == rows - 1, INPUT,
            "%s: tensor %s: expected a square number of positions plus one, found %d", source->path, name, rows);
  return ATL_OK;
}

static atl_status_t get_vit(const source_t *source, atl_clip_config_t *config) {
  int32_t grid;
  ATL_TRY(get_size(source, "visual.conv1.weight", 4, 0, &config->vision_width));
  ATL_TRY(get_size(source, "visual.conv1.weight", 4, 3, &config->patch_size));
  ATL_TRY(get_grid(source, "visual.positional_embedding", &grid));
  ATL_CHECK((int64_t)grid * config->patch_size <= INT32_MAX, INPUT, "%s: %d patches of %d pixels are too many",
            source->path, grid, config->patch_size);
  config->image_size = grid * config->patch_size;
  config->vision_layers = count(source, "visual.transformer.resblocks.", ".attn.in_proj_weight");
  return get_heads(source, config->vision_width, &config->vision_heads);
}

static atl_status_t get_resnet(const source_t *source, atl_clip_config_t *config) {
  int32_t grid;
  config->is_resnet = true;
  ATL_TRY(get_size(source, "visual.layer1.0.conv1.weight", 4, 0, &config->vision_width));
  ATL_CHECK(config->vision_width <= 1 << 16, INPUT, "%s: a ResNet of width %d is too wide", source->path,
            config->vision_width);
  ATL_TRY(get_grid(source, "visual.attnpool.positional_embedding", &grid));
  config->image_size = 32 * grid;
  for (int i = 0; i < 4; i++) {
    char prefix[ATL_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "visual.layer%d.", i + 1);
    config->vision_blocks[i] = count(source, prefix, ".conv1.weight");
  }
  return get_heads(source, 32 * config->vision_width, &config->vision_heads);
}

atl_status_t atl_checkpoint_clip_config(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                        atl_clip_config_t *config) {
  const source_t source = {path, tensors, n_tensors};
  *config = (atl_clip_config_t){0};
  ATL_TRY(find(&source, "visual.proj") != NULL ? get_vit(&source, config) : get_resnet(&source, config));
  ATL_TRY(get_size(&source, "text_projection", 2, 1, &config->embedding_width));
  ATL_TRY(get_size(&source, "positional_embedding", 2, 0, &config->context_length));
  ATL_TRY(get_size(&source, "token_embedding.weight", 2, 0, &config->vocabulary));
  ATL_TRY(get_size(&source, "token_embedding.weight", 2, 1, &config->text_width));
  ATL_TRY(get_heads(&source, config->text_width, &config->text_heads));
  config->text_layers = count(&source, "transformer.resblocks.", ".attn.in_proj_weight");
  return atl_clip_config_check(config, path);
}
