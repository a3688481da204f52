/* Rows are in the order of the file: picture, then text. Initialisers are those of OpenAI's class: its own for the text
 * tower, PyTorch's defaults for a ViT's blocks and for convolutions; the last gain of a bottleneck starts at 0. */
#include "model/clip/tensors.h"

#include <math.h>
#include <stdio.h>

#include "model/checkpoint/config.h"

enum { ALWAYS = 0, VIT = 1, RESNET = 2, SHORTCUT = 4, N_STAGES = 4, EXPANSION = 4 };

#define AT(field) offsetof(atl_clip_tensors_t, field)
#define NORM(type, field, name, needs)                                                                                 \
  {name ".weight", "W", offsetof(type, field.weight), ATL_TENSOR_GAIN, ATL_ONES, needs}, {                             \
    name ".bias", "W", offsetof(type, field.bias), ATL_TENSOR_BIAS, ATL_ZEROS, needs                                   \
  }

/* ---- towers ---- */

#define IN(field) offsetof(atl_clip_block_tensors_t, field)
#define BLOCK(qkv_init, out_init, up_init, down_init)                                                                  \
  NORM(atl_clip_block_tensors_t, norms.ln_1, "ln_1", ALWAYS),                                                          \
      {"attn.in_proj_weight", "3*W,W", IN(qkv.weight), ATL_TENSOR_WEIGHT, qkv_init, ALWAYS},                           \
      {"attn.in_proj_bias", "3*W", IN(qkv.bias), ATL_TENSOR_BIAS, ATL_ZEROS, ALWAYS},                                  \
      {"attn.out_proj.weight", "W,W", IN(out.weight), ATL_TENSOR_WEIGHT, out_init, ALWAYS},                            \
      {"attn.out_proj.bias", "W", IN(out.bias), ATL_TENSOR_BIAS, ATL_ZEROS, ALWAYS},                                   \
      NORM(atl_clip_block_tensors_t, norms.ln_2, "ln_2", ALWAYS),                                                      \
      {"mlp.c_fc.weight", "4*W,W", IN(up.weight), ATL_TENSOR_WEIGHT, up_init, ALWAYS},                                 \
      {"mlp.c_fc.bias", "4*W", IN(up.bias), ATL_TENSOR_BIAS, ATL_UNIFORM("W"), ALWAYS},                                \
      {"mlp.c_proj.weight", "W,4*W", IN(down.weight), ATL_TENSOR_WEIGHT, down_init, ALWAYS}, {                         \
    "mlp.c_proj.bias", "W", IN(down.bias), ATL_TENSOR_BIAS, ATL_UNIFORM("4*W"), ALWAYS                                 \
  }

/* Xavier's bound for (3W,W): sqrt(6 / (W + 3W)). */
#define XAVIER                                                                                                         \
  { ATL_INIT_UNIFORM, "4*W", 6 }
static const atl_table_row_t vision_block_rows[] = {
    BLOCK(XAVIER, ATL_UNIFORM("W"), ATL_UNIFORM("W"), ATL_UNIFORM("4*W"))};
static const atl_table_row_t text_block_rows[] = {
    BLOCK(ATL_NORMAL("W"), ATL_NORMAL("2*W*L"), ATL_NORMAL("2*W"), ATL_NORMAL("2*W*L"))};

static const atl_table_row_t vit_entry_rows[] = {
    {"conv1.weight", "W,3,p,p", AT(vit.patches), ATL_TENSOR_WEIGHT, ATL_UNIFORM("3*p*p"), VIT},
    {"class_embedding", "W", AT(vit.vectors.class_token), ATL_TENSOR_TABLE, ATL_NORMAL("W"), VIT},
    {"positional_embedding", "g*g+1,W", AT(vit.vectors.positions), ATL_TENSOR_TABLE, ATL_NORMAL("W"), VIT},
    NORM(atl_clip_tensors_t, vit.vectors.ln_pre, "ln_pre", VIT),
};
static const atl_table_row_t vit_exit_rows[] = {
    NORM(atl_clip_tensors_t, vit.vectors.ln_post, "ln_post", VIT),
    {"proj", "W,E_J", AT(vit.projection), ATL_TENSOR_WEIGHT, ATL_NORMAL("W"), VIT},
};

/* Standard deviations 0.02 and 0.01. */
static const atl_table_row_t text_entry_rows[] = {
    {"token_embedding.weight", "V,W", AT(text.vectors.tokens), ATL_TENSOR_TABLE, ATL_NORMAL("2500"), ALWAYS},
    {"positional_embedding", "T,W", AT(text.vectors.positions), ATL_TENSOR_TABLE, ATL_NORMAL("10000"), ALWAYS},
};
static const atl_table_row_t text_exit_rows[] = {
    NORM(atl_clip_tensors_t, text.vectors.ln_final, "ln_final", ALWAYS),
    {"text_projection", "W,E_J", AT(text.projection), ATL_TENSOR_WEIGHT, ATL_NORMAL("W"), ALWAYS},
    {"logit_scale", "", AT(logit_scale), ATL_TENSOR_TEMPERATURE, ATL_GIVEN, ALWAYS},
};

/* ---- ResNet ---- */

/* CONV.weight of `shape`, and NORM.* of n_out each. */
#define CONV(type, field, conv_name, norm_name, shape, n_out, fan_in, gain, needs)                                     \
  {conv_name ".weight", shape, offsetof(type, field.conv), ATL_TENSOR_WEIGHT, ATL_UNIFORM(fan_in), needs},             \
      {norm_name ".weight", n_out, offsetof(type, field.weight), ATL_TENSOR_GAIN, {gain, NULL, 1}, needs},             \
      {norm_name ".bias", n_out, offsetof(type, field.bias), ATL_TENSOR_BIAS, ATL_ZEROS, needs},                       \
      {norm_name ".running_mean", n_out, offsetof(type, field.running_mean), ATL_TENSOR_BUFFER, ATL_ZEROS, needs}, {   \
    norm_name ".running_var", n_out, offsetof(type, field.running_var), ATL_TENSOR_BUFFER, ATL_ONES, needs             \
  }
#define STEM(i, name, shape, n_out, fan_in)                                                                            \
  CONV(atl_clip_tensors_t, resnet.stem[i], "conv" name, "bn" name, shape, n_out, fan_in, ATL_INIT_ONE, RESNET)
#define IN_BLOCK(field, conv, norm, shape, n_out, fan_in, gain, needs)                                                 \
  CONV(atl_clip_bottleneck_tensors_t, field, conv, norm, shape, n_out, fan_in, gain, needs)

/* w is the width of the stem; the first two convolutions give w/2 channels. */
static const atl_table_row_t stem_rows[] = {
    STEM(0, "1", "half,3,3,3", "half", "27"),
    STEM(1, "2", "half,half,3,3", "half", "9*half"),
    STEM(2, "3", "w,half,3,3", "w", "9*half"),
};
/* A bottleneck has n channels inside and gives 4n. */
static const atl_table_row_t bottleneck_rows[] = {
    IN_BLOCK(conv1, "conv1", "bn1", "n,in,1,1", "n", "in", ATL_INIT_ONE, ALWAYS),
    IN_BLOCK(conv2, "conv2", "bn2", "n,n,3,3", "n", "9*n", ATL_INIT_ONE, ALWAYS),
    IN_BLOCK(conv3, "conv3", "bn3", "4*n,n,1,1", "4*n", "n", ATL_INIT_ZERO, ALWAYS),
    IN_BLOCK(shortcut, "downsample.0", "downsample.1", "4*n,in,1,1", "4*n", "in", ATL_INIT_ONE, SHORTCUT),
};
#define POOL(field, name, n_out)                                                                                       \
  {name ".weight", n_out ",W", AT(resnet.field.weight), ATL_TENSOR_WEIGHT, ATL_NORMAL("W"), RESNET}, {                 \
    name ".bias", n_out, AT(resnet.field.bias), ATL_TENSOR_BIAS, ATL_UNIFORM("W"), RESNET                              \
  }
static const atl_table_row_t pool_rows[] = {
    {"positional_embedding", "g*g+1,W", AT(resnet.positions), ATL_TENSOR_TABLE, ATL_NORMAL("W"), RESNET},
    POOL(k, "k_proj", "W"),
    POOL(q, "q_proj", "W"),
    POOL(v, "v_proj", "W"),
    POOL(project, "c_proj", "E_J"),
};

/* ---- parts under a configuration ---- */

static void describe(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_clip_config_t *c = config;
  atl_table_set_letter(scope, "E_J", c->embedding_width);
  scope->has = c->is_resnet ? RESNET : VIT;
  scope->constant = log(1 / 0.07); /* of logit_scale */
}

static void describe_vision(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_clip_config_t *c = config;
  snprintf(scope->prefix, sizeof scope->prefix, "visual");
  atl_table_set_letter(scope, "W", c->vision_width);
  atl_table_set_letter(scope, "p", c->patch_size);
  atl_table_set_letter(scope, "g", c->is_resnet ? 0 : c->image_size / c->patch_size);
}

static void describe_vision_block(const void *config, int32_t i, atl_table_scope_t *scope) {
  describe_vision(config, i, scope);
  snprintf(scope->prefix, sizeof scope->prefix, "visual.transformer.resblocks.%d", i);
}

static void describe_text(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_clip_config_t *c = config;
  atl_table_set_letter(scope, "W", c->text_width);
  atl_table_set_letter(scope, "V", c->vocabulary);
  atl_table_set_letter(scope, "T", c->context_length);
  atl_table_set_letter(scope, "L", c->text_layers);
}

static void describe_text_block(const void *config, int32_t i, atl_table_scope_t *scope) {
  describe_text(config, i, scope);
  snprintf(scope->prefix, sizeof scope->prefix, "transformer.resblocks.%d", i);
}

static void describe_stem(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_clip_config_t *c = config;
  snprintf(scope->prefix, sizeof scope->prefix, "visual");
  atl_table_set_letter(scope, "w", c->vision_width);
  atl_table_set_letter(scope, "half", c->vision_width / 2);
}

static void describe_bottleneck(const void *config, int32_t i, atl_table_scope_t *scope) {
  const atl_clip_config_t *c = config;
  int stage = 0;
  while (i >= c->vision_blocks[stage]) i -= c->vision_blocks[stage++];
  int64_t n = (int64_t)c->vision_width << stage, n_before = stage == 0 ? c->vision_width : EXPANSION * (n / 2);
  snprintf(scope->prefix, sizeof scope->prefix, "visual.layer%d.%d", stage + 1, i);
  atl_table_set_letter(scope, "n", n);
  atl_table_set_letter(scope, "in", i == 0 ? n_before : EXPANSION * n);
  if (i == 0) scope->has |= SHORTCUT; /* only the first block of a stage changes the width */
}

static void describe_pool(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_clip_config_t *c = config;
  snprintf(scope->prefix, sizeof scope->prefix, "visual.attnpool");
  atl_table_set_letter(scope, "W", 32 * (int64_t)c->vision_width);
  atl_table_set_letter(scope, "g", c->image_size / 32);
}

static int32_t count_vision_blocks(const void *config) {
  const atl_clip_config_t *c = config;
  return c->is_resnet ? 0 : c->vision_layers;
}

static int32_t count_text_blocks(const void *config) { return ((const atl_clip_config_t *)config)->text_layers; }

static int32_t count_bottlenecks(const void *config) {
  const atl_clip_config_t *c = config;
  int32_t n = 0;
  for (int i = 0; c->is_resnet && i < N_STAGES; i++) n += c->vision_blocks[i];
  return n;
}

static const atl_table_array_t vision_blocks_array = {AT(vit.blocks), sizeof(atl_clip_block_tensors_t),
                                                      count_vision_blocks};
static const atl_table_array_t text_blocks_array = {AT(text.blocks), sizeof(atl_clip_block_tensors_t),
                                                    count_text_blocks};
static const atl_table_array_t bottlenecks_array = {AT(resnet.blocks), sizeof(atl_clip_bottleneck_tensors_t),
                                                    count_bottlenecks};

static const atl_table_part_t parts[] = {
    {.describe = describe_vision, ATL_TABLE_ROWS(vit_entry_rows)},
    {.array = &vision_blocks_array, .describe = describe_vision_block, ATL_TABLE_ROWS(vision_block_rows)},
    {.describe = describe_vision, ATL_TABLE_ROWS(vit_exit_rows)},
    {.describe = describe_stem, ATL_TABLE_ROWS(stem_rows)},
    {.array = &bottlenecks_array, .describe = describe_bottleneck, ATL_TABLE_ROWS(bottleneck_rows)},
    {.describe = describe_pool, ATL_TABLE_ROWS(pool_rows)},
    {.describe = describe_text, ATL_TABLE_ROWS(text_entry_rows)},
    {.array = &text_blocks_array, .describe = describe_text_block, ATL_TABLE_ROWS(text_block_rows)},
    {.describe = describe_text, ATL_TABLE_ROWS(text_exit_rows)},
};
const atl_table_t atl_clip_table = {.network = "CLIP",
                                    .parts = parts,
                                    .n_parts = sizeof parts / sizeof *parts,
                                    .describe = describe,
                                    .decays = 1 << ATL_TENSOR_WEIGHT | 1 << ATL_TENSOR_TABLE};
