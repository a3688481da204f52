// TEST np=1
/* Hyperparameters become a configuration, option by option; options that old files lack follow from version and
 * tensors. */
#include "model/checkpoint/import/hparams.h"

#include <string.h>

#include "tests/support/tap.h"

enum { MAX_ITEMS = 16 };

/* A dictionary under construction, with a fixed number of keys and values. */
typedef struct {
  atl_value_t keys[MAX_ITEMS], values[MAX_ITEMS], dict;
  const atl_value_t *key_pointers[MAX_ITEMS], *value_pointers[MAX_ITEMS];
} dict_t;

static void set(dict_t *dict, const char *key, atl_value_t value) {
  size_t i = 0;
  while (i < dict->dict.n_items && strcmp(dict->keys[i].text, key) != 0) i++;
  ATL_ASSERT(i < MAX_ITEMS);
  if (i == dict->dict.n_items) dict->dict.n_items++;
  dict->keys[i] = (atl_value_t){.kind = ATL_VALUE_TEXT, .text = key, .n_bytes = strlen(key)};
  dict->values[i] = value;
  dict->key_pointers[i] = &dict->keys[i];
  dict->value_pointers[i] = &dict->values[i];
  dict->dict.kind = ATL_VALUE_DICT;
  dict->dict.keys = dict->key_pointers;
  dict->dict.items = dict->value_pointers;
}

static atl_value_t integer(int64_t n) { return (atl_value_t){.kind = ATL_VALUE_INT, .integer = n}; }
static atl_value_t boolean(bool b) { return (atl_value_t){.kind = ATL_VALUE_BOOL, .boolean = b}; }
static atl_value_t text(const char *t) { return (atl_value_t){.kind = ATL_VALUE_TEXT, .text = t}; }

static const atl_value_t attention_names[] = {{.kind = ATL_VALUE_TEXT, .text = "full"},
                                              {.kind = ATL_VALUE_TEXT, .text = "axial_row"},
                                              {.kind = ATL_VALUE_TEXT, .text = "mlp"}};
static const atl_value_t *const attention_types[] = {&attention_names[0], &attention_names[1], &attention_names[2]};
static const atl_value_t layer_ids[] = {{.kind = ATL_VALUE_TEXT, .text = "0"},
                                        {.kind = ATL_VALUE_TEXT, .text = "1"},
                                        {.kind = ATL_VALUE_TEXT, .text = "0"},
                                        {.kind = ATL_VALUE_INT, .integer = 1}};
static const atl_value_t *const layer_id_pointers[] = {&layer_ids[0], &layer_ids[1], &layer_ids[2], &layer_ids[3]};

static atl_value_t tuple(const atl_value_t *const *items, size_t n) {
  return (atl_value_t){.kind = ATL_VALUE_TUPLE, .items = items, .n_items = n};
}

static const atl_vae_config_t vae_config = {.image_size = 32, .n_layers = 3, .n_tokens = 96};

static void begin(dict_t *dict) {
  *dict = (dict_t){0};
  set(dict, "dim", integer(64));
  set(dict, "depth", integer(4));
}

static atl_status_t read(const dict_t *dict, const char *version, const char *tensor,
                         atl_transformer_config_t *config) {
  const atl_tensor_t tensors[] = {{.name = tensor}};
  const atl_hparams_source_t source = {"c.pt", version, tensors, tensor == NULL ? 0 : 1};
  return atl_hparams_transformer(&source, &dict->dict, &vae_config, config);
}

static void test_defaults(void) {
  dict_t dict;
  atl_transformer_config_t c;
  begin(&dict);
  TAP_STATUS(ATL_OK, read(&dict, "1.6.6", NULL, &c), "dim and depth suffice");
  TAP_OK(c.n_heads == 8 && c.head_size == 64 && c.text_length == 256 && c.n_text_tokens == 10000,
         "missing sizes have the reference's defaults");
  TAP_OK(c.image_side == 4 && c.n_image_tokens == 96, "image side and tokens are the dVAE's");
  TAP_OK(c.attention[3] == ATL_ATTENTION_FULL && c.attention_owner[3] == 3 && c.feed_forward_owner[2] == 2,
         "by default attention is full and nothing is shared");
  TAP_OK(!c.reversible && !c.stable && !c.sandwich_norm && !c.share_embeddings && !c.rotary && !c.shift_tokens,
         "by default all switches are off");
}

static void test_options(void) {
  dict_t dict;
  atl_transformer_config_t c;
  begin(&dict);
  set(&dict, "attn_types", tuple(attention_types, 2));
  set(&dict, "shared_attn_ids", tuple(layer_id_pointers, 2));
  set(&dict, "shared_ff_ids", tuple(layer_id_pointers, 4));
  set(&dict, "rotary_emb", boolean(true));
  set(&dict, "shift_tokens", boolean(true));
  set(&dict, "reversible", integer(1));
  TAP_STATUS(ATL_OK, read(&dict, "1.6.6", NULL, &c), "options are read");
  TAP_OK(c.attention[0] == ATL_ATTENTION_FULL && c.attention[3] == ATL_ATTENTION_AXIAL_ROW,
         "attn_types repeats over the layers");
  TAP_OK(c.attention_owner[2] == 0 && c.attention_owner[3] == 1, "shared_attn_ids repeats over the layers");
  TAP_OK(c.feed_forward_owner[2] == 0 && c.feed_forward_owner[3] == 1, "ids \"1\" and 1 are equal");
  TAP_OK(c.rotary && c.shift_tokens && c.reversible, "switches may be a bool or 0 or 1");
  set(&dict, "depth", integer(3));
  set(&dict, "shared_attn_ids", tuple(layer_id_pointers, 1));
  TAP_STATUS(ATL_INPUT, read(&dict, "1.6.6", NULL, &c), "layers of different kinds that share attention are refused");
}

static void test_versions(void) {
  dict_t dict;
  atl_transformer_config_t c;
  begin(&dict);
  const char *three = "transformer.layers.layers.0.0.fn.fn.fn.to_qkv.weight";
  const char *five = "transformer.layers.layers.0.0.fn.fn.fn.fn.fn.to_qkv.weight";
  TAP_OK(read(&dict, "1.6.6", three, &c) == ATL_OK && !c.shift_tokens, "1.6.6, three wrappers: no shift");
  TAP_OK(read(&dict, "1.6.6", five, &c) == ATL_OK && c.shift_tokens, "1.6.6, five wrappers: shift");
  TAP_OK(read(&dict, "1.3.9", three, &c) == ATL_OK && c.shift_tokens, "1.3.9, three wrappers: shift");
  TAP_OK(read(&dict, NULL, three, &c) == ATL_OK && c.shift_tokens, "no version, three wrappers: shift");
  TAP_OK(read(&dict, NULL, "transformer.pos_emb", &c) == ATL_OK && c.rotary, "a rotary table means rotary positions");
  set(&dict, "shift_tokens", boolean(false));
  TAP_OK(read(&dict, NULL, three, &c) == ATL_OK && !c.shift_tokens,
         "an explicit option overrides what the tensors suggest");
}

static void refuse(const char *key, atl_value_t value, atl_status_t want, const char *words) {
  dict_t dict;
  atl_transformer_config_t c;
  begin(&dict);
  set(&dict, key, value);
  TAP_STATUS(want, read(&dict, "1.6.6", NULL, &c), words);
  if (!TAP_OK(strstr(atl_status_message(), words) != NULL, "the message has the expected words"))
    printf("# %s\n", atl_status_message());
}

static void test_refusals(void) {
  refuse("depth", integer(0), ATL_INPUT, "depth should be from 1 to 256, found 0");
  refuse("depth", integer(INT64_MAX), ATL_INPUT, "depth should be an integer");
  refuse("dim", text("64"), ATL_INPUT, "dim should be an integer");
  refuse("dim", (atl_value_t){.kind = ATL_VALUE_NONE}, ATL_INPUT, "dim is missing");
  refuse("heads", integer(-1), ATL_INPUT, "heads should be an integer");
  refuse("dim_head", integer(1 << 20), ATL_INPUT, "head_size should be from 1 to 4096");
  refuse("stable", integer(2), ATL_INPUT, "stable should be true or false");
  refuse("attn_types", tuple(attention_types + 2, 1), ATL_UNSUPPORTED, "\"mlp\"");
  refuse("attn_types", tuple(attention_types, 0), ATL_INPUT, "attn_types should be a list that is not empty");
  refuse("shared_ff_ids", integer(0), ATL_INPUT, "shared_ff_ids should be a list");
  refuse("experts", integer(2), ATL_UNSUPPORTED, "unknown hyperparameter experts");
}

static void test_vae(void) {
  static const atl_value_t means[] = {{.kind = ATL_VALUE_REAL, .real = 0.25},
                                      {.kind = ATL_VALUE_INT, .integer = 0},
                                      {.kind = ATL_VALUE_REAL, .real = 0.5}};
  static const atl_value_t *const mean_pointers[] = {&means[0], &means[1], &means[2]};
  static const atl_value_t *const std_pointers[] = {&means[2], &means[2], &means[2]};
  const atl_value_t halves[] = {tuple(mean_pointers, 3), tuple(std_pointers, 3)};
  const atl_value_t *const half_pointers[] = {&halves[0], &halves[1]};
  const atl_hparams_source_t source = {"v.pt", NULL, NULL, 0};
  atl_vae_config_t c;
  dict_t dict = {0};
  set(&dict, "image_size", integer(64));
  TAP_STATUS(ATL_OK, atl_hparams_vae(&source, &dict.dict, &c), "a dVAE with one option is read");
  TAP_OK(c.n_layers == 3 && c.n_tokens == 512 && c.n_res_blocks == 0 && c.hidden_width == 64 && c.n_channels == 3 &&
             c.mean[2] > 0.49F,
         "a dVAE's missing options have the defaults of the class");
  set(&dict, "normalization", tuple(half_pointers, 2));
  TAP_STATUS(ATL_OK, atl_hparams_vae(&source, &dict.dict, &c), "a dVAE with normalisation is read");
  TAP_CLOSE(c.mean, ((float[]){0.25F, 0, 0.5F}), 3, 0, "normalisation may be reals and integers");
  set(&dict, "normalization", (atl_value_t){.kind = ATL_VALUE_NONE});
  TAP_OK(atl_hparams_vae(&source, &dict.dict, &c) == ATL_OK && c.mean[0] < 0.01F && c.std[0] > 0.99F,
         "normalisation None means mean 0 and deviation 1");
  set(&dict, "normalization", tuple(half_pointers, 1));
  TAP_STATUS(ATL_INPUT, atl_hparams_vae(&source, &dict.dict, &c), "normalisation without deviations is refused");
  set(&dict, "normalization", (atl_value_t){.kind = ATL_VALUE_NONE});
  set(&dict, "channels", integer(1));
  TAP_STATUS(ATL_UNSUPPORTED, atl_hparams_vae(&source, &dict.dict, &c), "one channel is refused");
  TAP_STATUS(ATL_INPUT, atl_hparams_vae(&source, NULL, &c), "no hyperparameters are refused");
}

int main(void) {
  test_defaults();
  test_options();
  test_versions();
  test_refusals();
  test_vae();
  return tap_done();
}
