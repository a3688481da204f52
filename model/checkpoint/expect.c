/* Linear(a -> b) keeps [b, a]; Conv2d [out, in, kh, kw]; ConvTranspose2d [in, out, kh, kw] (PyTorch's conventions).
 */
#include "model/checkpoint/expect.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/memory.h"
#include "model/transformer/tensors.h"

#define SHAPE(...)                                                                                                     \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

__attribute__((format(printf, 4, 5))) static atl_status_t add(atl_expected_list_t *list, int n_dims,
                                                              const int64_t *shape, const char *format, ...) {
  if (list->n == list->capacity) {
    size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    ATL_TRY(ATL_RESIZE(capacity, &list->items));
    list->capacity = capacity;
  }
  atl_expected_t *item = &list->items[list->n++];
  *item = (atl_expected_t){.n_dims = n_dims};
  for (int i = 0; i < n_dims; i++) item->shape[i] = shape[i];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(item->name, sizeof item->name, format, arguments);
  va_end(arguments);
  ATL_ASSERT(n > 0 && (size_t)n < sizeof item->name);
  return ATL_OK;
}

void atl_expect_clear(atl_expected_list_t *list) { atl_table_clear_list(list); }

/* PREFIX.weight [out, in] and PREFIX.bias [out]. */
static atl_status_t add_linear(atl_expected_list_t *list, const char *prefix, int64_t out, int64_t in) {
  ATL_TRY(add(list, SHAPE(out, in), "%s.weight", prefix));
  return add(list, SHAPE(out), "%s.bias", prefix);
}

static atl_status_t add_norm(atl_expected_list_t *list, const char *prefix, int64_t width) {
  ATL_TRY(add(list, SHAPE(width), "%s.weight", prefix));
  return add(list, SHAPE(width), "%s.bias", prefix);
}

atl_status_t atl_expect_transformer(const atl_transformer_config_t *config, atl_expected_list_t *list) {
  return atl_table_list(&atl_transformer_table, config, list);
}

/* ---- dVAE ---- */

/* A convolution; `first` and `second` are the weight's first two sizes, `out` its bias. */
static atl_status_t add_conv(atl_expected_list_t *list, const char *prefix, int64_t first, int64_t second,
                             int64_t kernel, int64_t out) {
  ATL_TRY(add(list, SHAPE(first, second, kernel, kernel), "%s.weight", prefix));
  return add(list, SHAPE(out), "%s.bias", prefix);
}

static atl_status_t add_res_block(atl_expected_list_t *list, const char *half, int32_t index, int64_t width) {
  static const int kernels[3] = {3, 3, 1};
  for (int i = 0; i < 3; i++) {
    char prefix[ATL_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "%s.%d.net.%d", half, index, 2 * i);
    ATL_TRY(add_conv(list, prefix, width, width, kernels[i], width));
  }
  return ATL_OK;
}

static atl_status_t add_encoder(const atl_vae_config_t *c, atl_expected_list_t *list) {
  char prefix[ATL_NAME_BYTES];
  for (int32_t i = 0; i < c->n_layers; i++) {
    snprintf(prefix, sizeof prefix, "encoder.%d.0", i);
    ATL_TRY(add_conv(list, prefix, c->hidden_width, i == 0 ? c->n_channels : c->hidden_width, 4, c->hidden_width));
  }
  for (int32_t i = 0; i < c->n_res_blocks; i++)
    ATL_TRY(add_res_block(list, "encoder", c->n_layers + i, c->hidden_width));
  snprintf(prefix, sizeof prefix, "encoder.%d", c->n_layers + c->n_res_blocks);
  return add_conv(list, prefix, c->n_tokens, c->hidden_width, 1, c->n_tokens);
}

static atl_status_t add_decoder(const atl_vae_config_t *c, atl_expected_list_t *list) {
  char prefix[ATL_NAME_BYTES];
  int32_t first = 0; /* index of the first transposed convolution */
  int64_t in = c->codebook_width, hidden = c->hidden_width;
  if (c->n_res_blocks > 0) {
    ATL_TRY(add_conv(list, "decoder.0", hidden, in, 1, hidden));
    for (int32_t i = 0; i < c->n_res_blocks; i++) ATL_TRY(add_res_block(list, "decoder", i + 1, hidden));
    first = c->n_res_blocks + 1;
    in = hidden;
  }
  for (int32_t i = 0; i < c->n_layers; i++) {
    snprintf(prefix, sizeof prefix, "decoder.%d.0", first + i);
    ATL_TRY(add_conv(list, prefix, i == 0 ? in : hidden, hidden, 4, hidden));
  }
  snprintf(prefix, sizeof prefix, "decoder.%d", first + c->n_layers);
  return add_conv(list, prefix, c->n_channels, hidden, 1, c->n_channels);
}

atl_status_t atl_expect_vae(const atl_vae_config_t *config, atl_expected_list_t *list) {
  ATL_TRY(add(list, SHAPE(config->n_tokens, config->codebook_width), "codebook.weight"));
  ATL_TRY(add_encoder(config, list));
  return add_decoder(config, list);
}

/* ---- CLIP ---- */

static atl_status_t add_clip_block(atl_expected_list_t *list, const char *tower, int32_t layer, int64_t width) {
  char name[ATL_NAME_BYTES];
#define NAME(tail) (snprintf(name, sizeof name, "%s.resblocks.%d.%s", tower, layer, tail), name)
  ATL_TRY(add_norm(list, NAME("ln_1"), width));
  ATL_TRY(add(list, SHAPE(3 * width, width), "%s", NAME("attn.in_proj_weight")));
  ATL_TRY(add(list, SHAPE(3 * width), "%s", NAME("attn.in_proj_bias")));
  ATL_TRY(add_linear(list, NAME("attn.out_proj"), width, width));
  ATL_TRY(add_norm(list, NAME("ln_2"), width));
  ATL_TRY(add_linear(list, NAME("mlp.c_fc"), 4 * width, width));
  return add_linear(list, NAME("mlp.c_proj"), width, 4 * width);
#undef NAME
}

static atl_status_t add_vit(const atl_clip_config_t *c, atl_expected_list_t *list) {
  int64_t width = c->vision_width, patch = c->patch_size, grid = c->image_size / c->patch_size;
  ATL_TRY(add(list, SHAPE(width, 3, patch, patch), "visual.conv1.weight"));
  ATL_TRY(add(list, SHAPE(width), "visual.class_embedding"));
  ATL_TRY(add(list, SHAPE(grid * grid + 1, width), "visual.positional_embedding"));
  ATL_TRY(add_norm(list, "visual.ln_pre", width));
  for (int32_t i = 0; i < c->vision_layers; i++) ATL_TRY(add_clip_block(list, "visual.transformer", i, width));
  ATL_TRY(add_norm(list, "visual.ln_post", width));
  return add(list, SHAPE(width, c->embedding_width), "visual.proj");
}

/* A bias-free convolution and its batch norm: visual.STEM.convN and visual.STEM.bnN. */
static atl_status_t add_conv_norm(atl_expected_list_t *list, const char *conv, const char *norm, int64_t out,
                                  int64_t in, int64_t kernel) {
  ATL_TRY(add(list, SHAPE(out, in, kernel, kernel), "%s.weight", conv));
  ATL_TRY(add_norm(list, norm, out));
  ATL_TRY(add(list, SHAPE(out), "%s.running_mean", norm));
  return add(list, SHAPE(out), "%s.running_var", norm);
}

static atl_status_t add_bottleneck(atl_expected_list_t *list, int stage, int32_t block, int64_t in, int64_t width) {
  const int64_t sizes[3][3] = {{width, in, 1}, {width, width, 3}, {4 * width, width, 1}};
  char conv[ATL_NAME_BYTES], norm[ATL_NAME_BYTES];
  for (int i = 0; i < 3; i++) {
    snprintf(conv, sizeof conv, "visual.layer%d.%d.conv%d", stage + 1, block, i + 1);
    snprintf(norm, sizeof norm, "visual.layer%d.%d.bn%d", stage + 1, block, i + 1);
    ATL_TRY(add_conv_norm(list, conv, norm, sizes[i][0], sizes[i][1], sizes[i][2]));
  }
  if (block != 0) return ATL_OK; /* only the first of a stage changes size */
  snprintf(conv, sizeof conv, "visual.layer%d.0.downsample.0", stage + 1);
  snprintf(norm, sizeof norm, "visual.layer%d.0.downsample.1", stage + 1);
  return add_conv_norm(list, conv, norm, 4 * width, in, 1);
}

static atl_status_t add_resnet(const atl_clip_config_t *c, atl_expected_list_t *list) {
  int64_t stem = c->vision_width, wide = 32 * stem, grid = c->image_size / 32, in = stem;
  ATL_TRY(add_conv_norm(list, "visual.conv1", "visual.bn1", stem / 2, 3, 3));
  ATL_TRY(add_conv_norm(list, "visual.conv2", "visual.bn2", stem / 2, stem / 2, 3));
  ATL_TRY(add_conv_norm(list, "visual.conv3", "visual.bn3", stem, stem / 2, 3));
  for (int stage = 0; stage < 4; stage++)
    for (int32_t block = 0; block < c->vision_blocks[stage]; block++) {
      ATL_TRY(add_bottleneck(list, stage, block, in, stem << stage));
      in = 4 * (stem << stage);
    }
  ATL_TRY(add(list, SHAPE(grid * grid + 1, wide), "visual.attnpool.positional_embedding"));
  ATL_TRY(add_linear(list, "visual.attnpool.k_proj", wide, wide));
  ATL_TRY(add_linear(list, "visual.attnpool.q_proj", wide, wide));
  ATL_TRY(add_linear(list, "visual.attnpool.v_proj", wide, wide));
  return add_linear(list, "visual.attnpool.c_proj", c->embedding_width, wide);
}

atl_status_t atl_expect_clip(const atl_clip_config_t *config, atl_expected_list_t *list) {
  int64_t width = config->text_width;
  ATL_TRY(config->is_resnet ? add_resnet(config, list) : add_vit(config, list));
  ATL_TRY(add(list, SHAPE(config->vocabulary, width), "token_embedding.weight"));
  ATL_TRY(add(list, SHAPE(config->context_length, width), "positional_embedding"));
  for (int32_t i = 0; i < config->text_layers; i++) ATL_TRY(add_clip_block(list, "transformer", i, width));
  ATL_TRY(add_norm(list, "ln_final", width));
  ATL_TRY(add(list, SHAPE(width, config->embedding_width), "text_projection"));
  return add(list, 0, NULL, "logit_scale");
}
