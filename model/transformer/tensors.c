/* Rows are in the order of the forward pass, which is the order in the file. Initialisers are PyTorch's defaults for
 * Linear, Embedding and LayerNorm; LayerScale starts smaller in deeper layers. */
#include "model/transformer/tensors.h"

#include "model/kernels/attention/rotary.h"
#include "model/transformer/names.h"

/* Conditions, for the field `needs` of a row. */
enum { ALWAYS = 0, OWN_EMBEDDINGS = 1, LEARNED = 2, ROTARY = 4, SANDWICH = 8, OWN_LINEARS = 16 };

#define AT(field) offsetof(atl_transformer_tensors_t, field)
#define IN(field) offsetof(atl_layer_tensors_t, field)

static const atl_table_row_t embeddings_rows[] = {
    {"text_emb.weight", "V_T,D", AT(tokens.text), ATL_TENSOR_TABLE, ATL_NORMAL("1"), OWN_EMBEDDINGS},
    {"image_emb.weight", "V_i,D", AT(tokens.image), ATL_TENSOR_TABLE, ATL_NORMAL("1"), OWN_EMBEDDINGS},
    {"transformer.pos_emb", "1,T+1+I,R", AT(angles), ATL_TENSOR_BUFFER, ATL_COMPUTED, ROTARY},
    {"text_pos_emb.weight", "T+1,D", AT(positions.text), ATL_TENSOR_TABLE, ATL_NORMAL("1"), LEARNED},
    {"image_pos_emb.weights.0", "1,f,1,D", AT(positions.rows), ATL_TENSOR_TABLE, ATL_NORMAL("1"), LEARNED},
    {"image_pos_emb.weights.1", "1,1,f,D", AT(positions.columns), ATL_TENSOR_TABLE, ATL_NORMAL("1"), LEARNED},
};

/* The vectors that each sublayer has, even when it shares its linear layers. */
#define VECTORS(sublayer)                                                                                              \
  {"scale", "1,1,D", IN(sublayer.vectors.scale), ATL_TENSOR_SCALE, ATL_GIVEN, ALWAYS},                                 \
      {"norm.weight", "D", IN(sublayer.vectors.norm_weight), ATL_TENSOR_GAIN, ATL_ONES, ALWAYS},                       \
      {"norm.bias", "D", IN(sublayer.vectors.norm_bias), ATL_TENSOR_BIAS, ATL_ZEROS, ALWAYS},                          \
      {"norm_out.weight", "D", IN(sublayer.vectors.norm_out_weight), ATL_TENSOR_GAIN, ATL_ONES, SANDWICH}, {           \
    "norm_out.bias", "D", IN(sublayer.vectors.norm_out_bias), ATL_TENSOR_BIAS, ATL_ZEROS, SANDWICH                     \
  }

#define OF(sublayer, field) IN(sublayer.linears.field)
static const atl_table_row_t attention_rows[] = {
    VECTORS(attention),
    {"to_qkv.weight", "3*H*E,D", OF(attention, in_weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("D"), OWN_LINEARS},
    {"to_out.0.weight", "D,H*E", OF(attention, out_weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("H*E"), OWN_LINEARS},
    {"to_out.0.bias", "D", OF(attention, out_bias), ATL_TENSOR_BIAS, ATL_UNIFORM("H*E"), OWN_LINEARS},
};
static const atl_table_row_t feed_forward_rows[] = {
    VECTORS(feed_forward),
    {"net.0.weight", "8*D,D", OF(feed_forward, in_weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("D"), OWN_LINEARS},
    {"net.0.bias", "8*D", OF(feed_forward, in_bias), ATL_TENSOR_BIAS, ATL_UNIFORM("D"), OWN_LINEARS},
    {"net.3.weight", "D,4*D", OF(feed_forward, out_weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("4*D"), OWN_LINEARS},
    {"net.3.bias", "D", OF(feed_forward, out_bias), ATL_TENSOR_BIAS, ATL_UNIFORM("4*D"), OWN_LINEARS},
};

static const atl_table_row_t head_rows[] = {
    {"to_logits.0.weight", "D", AT(norm.weight), ATL_TENSOR_GAIN, ATL_ONES, ALWAYS},
    {"to_logits.0.bias", "D", AT(norm.bias), ATL_TENSOR_BIAS, ATL_ZEROS, ALWAYS},
    {"to_logits.1.weight", "V,D", AT(logits.weight), ATL_TENSOR_WEIGHT, ATL_UNIFORM("D"), ALWAYS},
    {"to_logits.1.bias", "V", AT(logits.bias), ATL_TENSOR_BIAS, ATL_UNIFORM("D"), ALWAYS},
};

static void describe(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)i_item;
  const atl_transformer_config_t *c = config;
  atl_table_set_letter(scope, "D", c->width);
  atl_table_set_letter(scope, "H", c->n_heads);
  atl_table_set_letter(scope, "E", c->head_size);
  atl_table_set_letter(scope, "R", atl_rotary_width(c->head_size));
  atl_table_set_letter(scope, "T", c->text_length);
  atl_table_set_letter(scope, "f", c->image_side);
  atl_table_set_letter(scope, "I", atl_config_image_length(c));
  atl_table_set_letter(scope, "V_T", atl_config_text_vocabulary(c));
  atl_table_set_letter(scope, "V_i", c->n_image_tokens);
  atl_table_set_letter(scope, "V", atl_config_vocabulary(c));
  scope->has =
      (c->share_embeddings ? 0 : OWN_EMBEDDINGS) | (c->rotary ? ROTARY : LEARNED) | (c->sandwich_norm ? SANDWICH : 0);
}

static int32_t count_layers(const void *config) { return ((const atl_transformer_config_t *)config)->n_layers; }

static void describe_sublayer(const atl_transformer_config_t *c, int32_t i_layer, atl_sublayer_t sublayer,
                              const int32_t *owners, atl_table_scope_t *scope) {
  atl_names_prefix(c->reversible, i_layer, sublayer, scope->prefix);
  if (owners[i_layer] == i_layer) scope->has |= OWN_LINEARS;
  scope->constant = i_layer < 18 ? 0.1 : i_layer < 24 ? 1e-5 : 1e-6;
}

static void describe_attention(const void *config, int32_t i_layer, atl_table_scope_t *scope) {
  const atl_transformer_config_t *c = config;
  describe_sublayer(c, i_layer, ATL_SUBLAYER_ATTENTION, c->attention_owner, scope);
}

static void describe_feed_forward(const void *config, int32_t i_layer, atl_table_scope_t *scope) {
  const atl_transformer_config_t *c = config;
  describe_sublayer(c, i_layer, ATL_SUBLAYER_FEED_FORWARD, c->feed_forward_owner, scope);
}

static const atl_table_array_t layers_array = {AT(layers), sizeof(atl_layer_tensors_t), count_layers};

static const atl_table_part_t parts[] = {
    {ATL_TABLE_ROWS(embeddings_rows)},
    {.array = &layers_array, .describe = describe_attention, ATL_TABLE_ROWS(attention_rows)},
    {.array = &layers_array, .describe = describe_feed_forward, ATL_TABLE_ROWS(feed_forward_rows)},
    {ATL_TABLE_ROWS(head_rows)},
};
const atl_table_t atl_transformer_table = {.network = "transformer",
                                           .parts = parts,
                                           .n_parts = sizeof parts / sizeof *parts,
                                           .describe = describe,
                                           .find = atl_names_find,
                                           .decays = 1 << ATL_TENSOR_WEIGHT};

atl_status_t atl_transformer_source_open(const atl_model_t *model, atl_transformer_source_t *source) {
  *source = (atl_transformer_source_t){.config = &model->transformer_config};
  return atl_weights_open(&atl_transformer_table, source->config, model->transformer, &source->tensors,
                          &source->weights);
}

void atl_transformer_source_close(atl_transformer_source_t *source) { atl_weights_close(&source->weights); }
