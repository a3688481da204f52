/* Rows are in the order of the forward pass, which is the order in the file. Initialisers are PyTorch's defaults for
 * Conv2d and ConvTranspose2d; both take the fan-in from the second size of the weight. */
#include "model/vae/dvae_tensors.h"

#include <stdio.h>

#include "model/checkpoint/config.h"

enum { ALWAYS = 0, HAS_BLOCKS = 1 };

#define AT(field) offsetof(atl_dvae_tensors_t, field)
#define CONV(type, field, name, shape, n_out, fan_in, needs)                                                           \
  {name "weight", shape, offsetof(type, field.weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM(fan_in), needs}, {               \
    name "bias", n_out, offsetof(type, field.bias), ATL_TENSOR_BIAS, ATL_UNIFORM(fan_in), needs                        \
  }

static const atl_table_row_t codebook_rows[] = {
    {"codebook.weight", "V_i,K", AT(codebook), ATL_TENSOR_TABLE, ATL_NORMAL("1"), ALWAYS},
};
static const atl_table_row_t halving_rows[] = {
    {"weight", "h,in,4,4", offsetof(atl_dvae_conv_tensors_t, weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("16*in"), ALWAYS},
    {"bias", "h", offsetof(atl_dvae_conv_tensors_t, bias), ATL_TENSOR_BIAS, ATL_UNIFORM("16*in"), ALWAYS},
};
static const atl_table_row_t doubling_rows[] = {
    {"weight", "in,h,4,4", offsetof(atl_dvae_conv_tensors_t, weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("16*h"), ALWAYS},
    {"bias", "h", offsetof(atl_dvae_conv_tensors_t, bias), ATL_TENSOR_BIAS, ATL_UNIFORM("16*h"), ALWAYS},
};
static const atl_table_row_t block_rows[] = {
    CONV(atl_dvae_block_tensors_t, first, "0.", "h,h,3,3", "h", "9*h", ALWAYS),
    CONV(atl_dvae_block_tensors_t, second, "2.", "h,h,3,3", "h", "9*h", ALWAYS),
    CONV(atl_dvae_block_tensors_t, third, "4.", "h,h,1,1", "h", "h", ALWAYS),
};
static const atl_table_row_t logits_rows[] = {
    CONV(atl_dvae_tensors_t, to_logits, "", "V_i,h,1,1", "V_i", "h", ALWAYS),
};
static const atl_table_row_t entry_rows[] = {
    CONV(atl_dvae_tensors_t, from_codebook, "", "h,K,1,1", "h", "K", HAS_BLOCKS),
};
static const atl_table_row_t pixels_rows[] = {
    CONV(atl_dvae_tensors_t, to_pixels, "", "c,h,1,1", "c", "h", ALWAYS),
};

static void describe(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_vae_config_t *c = config;
  atl_table_set_letter(scope, "V_i", c->n_tokens);
  atl_table_set_letter(scope, "K", c->codebook_width);
  atl_table_set_letter(scope, "h", c->hidden_width);
  atl_table_set_letter(scope, "c", c->n_channels);
  if (c->n_res_blocks > 0) scope->has |= HAS_BLOCKS;
}

static int32_t count_layers(const void *config) { return ((const atl_vae_config_t *)config)->n_layers; }
static int32_t count_blocks(const void *config) { return ((const atl_vae_config_t *)config)->n_res_blocks; }

/* Index of the decoder's first transposed convolution. */
static int32_t first_doubling(const atl_vae_config_t *c) { return c->n_res_blocks > 0 ? c->n_res_blocks + 1 : 0; }

static void set_prefix(atl_table_scope_t *scope, const char *half, int32_t index, const char *tail) {
  snprintf(scope->prefix, sizeof scope->prefix, "%s.%d%s", half, index, tail);
}

static void describe_halving(const void *config, int32_t i, atl_table_scope_t *scope) {
  const atl_vae_config_t *c = config;
  set_prefix(scope, "encoder", i, ".0");
  atl_table_set_letter(scope, "in", i == 0 ? c->n_channels : c->hidden_width);
}

static void describe_encoder_block(const void *config, int32_t i, atl_table_scope_t *scope) {
  set_prefix(scope, "encoder", ((const atl_vae_config_t *)config)->n_layers + i, ".net");
}

static void describe_logits(const void *config, int32_t i, atl_table_scope_t *scope) {
  const atl_vae_config_t *c = config;
  set_prefix(scope, "encoder", c->n_layers + c->n_res_blocks + i, "");
}

static void describe_entry(const void *config, int32_t i, atl_table_scope_t *scope) {
  (void)config;
  set_prefix(scope, "decoder", i, "");
}

static void describe_decoder_block(const void *config, int32_t i, atl_table_scope_t *scope) {
  (void)config;
  set_prefix(scope, "decoder", 1 + i, ".net");
}

static void describe_doubling(const void *config, int32_t i, atl_table_scope_t *scope) {
  const atl_vae_config_t *c = config;
  set_prefix(scope, "decoder", first_doubling(c) + i, ".0");
  atl_table_set_letter(scope, "in", i == 0 && c->n_res_blocks == 0 ? c->codebook_width : c->hidden_width);
}

static void describe_pixels(const void *config, int32_t i, atl_table_scope_t *scope) {
  const atl_vae_config_t *c = config;
  set_prefix(scope, "decoder", first_doubling(c) + c->n_layers + i, "");
}

static const atl_table_array_t halvings_array = {AT(halvings), sizeof(atl_dvae_conv_tensors_t), count_layers};
static const atl_table_array_t encoder_blocks_array = {AT(encoder_blocks), sizeof(atl_dvae_block_tensors_t),
                                                       count_blocks};
static const atl_table_array_t decoder_blocks_array = {AT(decoder_blocks), sizeof(atl_dvae_block_tensors_t),
                                                       count_blocks};
static const atl_table_array_t doublings_array = {AT(doublings), sizeof(atl_dvae_conv_tensors_t), count_layers};

static const atl_table_part_t parts[] = {
    {ATL_TABLE_ROWS(codebook_rows)},
    {.array = &halvings_array, .describe = describe_halving, ATL_TABLE_ROWS(halving_rows)},
    {.array = &encoder_blocks_array, .describe = describe_encoder_block, ATL_TABLE_ROWS(block_rows)},
    {.describe = describe_logits, ATL_TABLE_ROWS(logits_rows)},
    {.describe = describe_entry, ATL_TABLE_ROWS(entry_rows)},
    {.array = &decoder_blocks_array, .describe = describe_decoder_block, ATL_TABLE_ROWS(block_rows)},
    {.array = &doublings_array, .describe = describe_doubling, ATL_TABLE_ROWS(doubling_rows)},
    {.describe = describe_pixels, ATL_TABLE_ROWS(pixels_rows)},
};
const atl_table_t atl_dvae_table = {.network = "dVAE",
                                    .parts = parts,
                                    .n_parts = sizeof parts / sizeof *parts,
                                    .describe = describe,
                                    .decays = 1 << ATL_TENSOR_WEIGHT};
