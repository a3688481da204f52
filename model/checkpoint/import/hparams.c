/* Old hparams lack options that were added later. Two of these change results and must be inferred from the tensors:
 * rotary_emb from the presence of the rotary table, and shift_tokens from the number of wrappers around the attention,
 * which before 1.4.0 is three with shift and two without, and since then five and three. */
#include "model/checkpoint/import/hparams.h"

#include <stdio.h>
#include <string.h>

enum { ABSENT = -1, V_1_4_0 = 10400, V_1_5_0 = 10500 };

static const char *const transformer_keys[] = {"num_text_tokens",
                                               "text_seq_len",
                                               "dim",
                                               "depth",
                                               "heads",
                                               "dim_head",
                                               "reversible",
                                               "attn_types",
                                               "stable",
                                               "shift_tokens",
                                               "rotary_emb",
                                               "shared_attn_ids",
                                               "shared_ff_ids",
                                               "sandwich_norm",
                                               "attn_dropout",
                                               "ff_dropout",
                                               "sparse_attn",
                                               "loss_img_weight",
                                               "share_input_output_emb",
                                               "optimize_for_inference",
                                               NULL};
static const char *const vae_keys[] = {"image_size",       "num_layers", "num_tokens",         "channels",
                                       "codebook_dim",     "hidden_dim", "num_resnet_blocks",  "temperature",
                                       "straight_through", "reinmax",    "kl_div_loss_weight", "normalization",
                                       "smooth_l1_loss",   NULL};

/* ---- one option ---- */

static atl_status_t check_keys(const atl_hparams_source_t *source, const atl_value_t *hparams,
                               const char *const *known) {
  ATL_CHECK(hparams != NULL && hparams->kind == ATL_VALUE_DICT, INPUT,
            "%s: expected hyperparameters as a dictionary, found none; is it a DALLE-pytorch checkpoint?",
            source->path);
  for (size_t i = 0; i < hparams->n_items; i++) {
    const char *key = hparams->keys[i]->kind == ATL_VALUE_TEXT ? hparams->keys[i]->text : "(a key that is not text)";
    size_t k = 0;
    while (known[k] != NULL && strcmp(known[k], key) != 0) k++;
    ATL_CHECK(known[k] != NULL, UNSUPPORTED,
              "%s: unknown hyperparameter %s; it may change the model, so it is not ignored", source->path, key);
  }
  return ATL_OK;
}

static const atl_value_t *find(const atl_value_t *hparams, const char *name) {
  const atl_value_t *value = atl_value_find(hparams, name);
  return value == NULL || value->kind == ATL_VALUE_NONE ? NULL : value;
}

/* With fallback ABSENT the option is required. */
static atl_status_t get_int(const atl_hparams_source_t *source, const atl_value_t *hparams, const char *name,
                            int32_t fallback, int32_t *result) {
  const atl_value_t *value = find(hparams, name);
  ATL_CHECK(value != NULL || fallback != ABSENT, INPUT, "%s: the hyperparameter %s is missing", source->path, name);
  ATL_CHECK(value == NULL || (value->kind == ATL_VALUE_INT && value->integer >= 0 && value->integer <= INT32_MAX),
            INPUT, "%s: the hyperparameter %s should be an integer from 0", source->path, name);
  *result = value == NULL ? fallback : (int32_t)value->integer;
  return ATL_OK;
}

static atl_status_t get_bool(const atl_hparams_source_t *source, const atl_value_t *hparams, const char *name,
                             bool fallback, bool *result) {
  const atl_value_t *value = find(hparams, name);
  bool is_int = value != NULL && value->kind == ATL_VALUE_INT && (value->integer == 0 || value->integer == 1);
  ATL_CHECK(value == NULL || is_int || value->kind == ATL_VALUE_BOOL, INPUT,
            "%s: the hyperparameter %s should be true or false", source->path, name);
  *result = value == NULL ? fallback : is_int ? value->integer == 1 : value->boolean;
  return ATL_OK;
}

static bool is_sequence(const atl_value_t *value) {
  return value->kind == ATL_VALUE_LIST || value->kind == ATL_VALUE_TUPLE;
}

/* ---- dVAE ---- */

/* A pair (means, standard deviations), each with an item per channel; None: no normalisation. */
static atl_status_t get_normalization(const atl_hparams_source_t *source, const atl_value_t *hparams,
                                      atl_vae_config_t *config) {
  static const float mean[4] = {0.5F, 0.5F, 0.5F, 0}, std[4] = {0.5F, 0.5F, 0.5F, 1};
  const atl_value_t *value = atl_value_find(hparams, "normalization");
  bool is_none = value != NULL && value->kind == ATL_VALUE_NONE;
  for (int i = 0; i < config->n_channels; i++) {
    config->mean[i] = is_none ? 0 : mean[i];
    config->std[i] = is_none ? 1 : std[i];
  }
  if (value == NULL || is_none) return ATL_OK;
  ATL_CHECK(is_sequence(value) && value->n_items == 2, INPUT, "%s: normalization should be a pair", source->path);
  for (size_t half = 0; half < 2; half++) {
    const atl_value_t *numbers = value->items[half];
    ATL_CHECK(is_sequence(numbers) && numbers->n_items >= (size_t)config->n_channels, INPUT,
              "%s: normalization should have a number for each of %d channels", source->path, config->n_channels);
    for (int i = 0; i < config->n_channels; i++) {
      const atl_value_t *number = numbers->items[i];
      ATL_CHECK(number->kind == ATL_VALUE_REAL || number->kind == ATL_VALUE_INT, INPUT,
                "%s: normalization should contain numbers", source->path);
      (half == 0 ? config->mean : config->std)[i] =
          (float)(number->kind == ATL_VALUE_REAL ? number->real : (double)number->integer);
    }
  }
  return ATL_OK;
}

atl_status_t atl_hparams_vae(const atl_hparams_source_t *source, const atl_value_t *hparams, atl_vae_config_t *config) {
  *config = (atl_vae_config_t){0};
  ATL_TRY(check_keys(source, hparams, vae_keys));
  ATL_TRY(get_int(source, hparams, "image_size", 256, &config->image_size));
  ATL_TRY(get_int(source, hparams, "num_layers", 3, &config->n_layers));
  ATL_TRY(get_int(source, hparams, "num_resnet_blocks", 0, &config->n_res_blocks));
  ATL_TRY(get_int(source, hparams, "num_tokens", 512, &config->n_tokens));
  ATL_TRY(get_int(source, hparams, "codebook_dim", 512, &config->codebook_width));
  ATL_TRY(get_int(source, hparams, "hidden_dim", 64, &config->hidden_width));
  ATL_TRY(get_int(source, hparams, "channels", 3, &config->n_channels));
  ATL_CHECK(config->n_channels == 3 || config->n_channels == 4, UNSUPPORTED,
            "%s: a dVAE of 3 or 4 channels is expected, found %d", source->path, config->n_channels);
  ATL_TRY(get_normalization(source, hparams, config));
  return atl_vae_config_check(config, source->path);
}

/* ---- transformer ---- */

/* "1.6.6" -> 10606; NULL -> 0. */
static int version_of(const char *text) {
  int major = 0, minor = 0, patch = 0;
  if (text == NULL || sscanf(text, "%3d.%2d.%2d", &major, &minor, &patch) < 1) return 0;
  return major * 10000 + minor * 100 + patch;
}

static bool has_tensor(const atl_hparams_source_t *source, const char *name) {
  for (size_t i = 0; i < source->n_tensors; i++)
    if (strcmp(source->tensors[i].name, name) == 0) return true;
  return false;
}

static bool has_shift_wrappers(const atl_hparams_source_t *source) {
  const char *wrappers =
      version_of(source->version) < V_1_4_0 ? ".fn.fn.fn.to_qkv.weight" : ".fn.fn.fn.fn.fn.to_qkv.weight";
  for (size_t i = 0; i < source->n_tensors; i++) {
    const char *name = source->tensors[i].name;
    size_t n = strlen(name), n_tail = strlen(wrappers);
    if (n >= n_tail && strcmp(name + n - n_tail, wrappers) == 0) return true;
  }
  return false;
}

/* Item i of a sequence that is repeated cyclically, as text; an integer is written in decimal. */
static atl_status_t cycle(const atl_hparams_source_t *source, const char *name, const atl_value_t *value, size_t i,
                          char text[64]) {
  ATL_CHECK(is_sequence(value) && value->n_items > 0, INPUT,
            "%s: the hyperparameter %s should be a list that is not empty", source->path, name);
  const atl_value_t *item = value->items[i % value->n_items];
  ATL_CHECK(item->kind == ATL_VALUE_TEXT || item->kind == ATL_VALUE_INT, INPUT,
            "%s: the hyperparameter %s should hold texts or integers", source->path, name);
  if (item->kind == ATL_VALUE_TEXT)
    snprintf(text, 64, "%.63s", item->text);
  else
    snprintf(text, 64, "%lld", (long long)item->integer);
  return ATL_OK;
}

static atl_status_t find_attention(const atl_hparams_source_t *source, const char *name, atl_attention_kind_t *kind) {
  for (int i = ATL_ATTENTION_FULL; i <= ATL_ATTENTION_CONV_LIKE; i++)
    if (strcmp(name, atl_attention_name((atl_attention_kind_t)i)) == 0) *kind = (atl_attention_kind_t)i;
  ATL_CHECK(strcmp(name, "sparse") != 0, UNSUPPORTED,
            "%s: attn_types has \"sparse\", whose random block layout is not saved in the checkpoint, so it cannot be "
            "reproduced; train with full, axial_row, axial_col or conv_like",
            source->path);
  ATL_CHECK(strcmp(name, atl_attention_name(*kind)) == 0, UNSUPPORTED,
            "%s: attn_types has \"%s\"; expected full, axial_row, axial_col or conv_like", source->path, name);
  ATL_CHECK(
      *kind != ATL_ATTENTION_CONV_LIKE || version_of(source->version) >= V_1_5_0, UNSUPPORTED,
      "%s: attn_types has conv_like in a checkpoint of version %s; before 1.5.0 its neighbourhood was different from "
      "the one atelier computes; continue training with DALLE-pytorch 1.5.0 or later",
      source->path, source->version == NULL ? "before 1.1.6" : source->version);
  return ATL_OK;
}

static atl_status_t get_attention(const atl_hparams_source_t *source, const atl_value_t *hparams,
                                  atl_transformer_config_t *config) {
  const atl_value_t *types = find(hparams, "attn_types");
  for (int32_t i = 0; i < config->n_layers && types != NULL; i++) {
    char name[64];
    ATL_TRY(cycle(source, "attn_types", types, (size_t)i, name));
    ATL_TRY(find_attention(source, name, &config->attention[i]));
  }
  return ATL_OK;
}

/* owners[i] = the first layer with the same id as layer i, or i when nothing is shared. */
static atl_status_t get_owners(const atl_hparams_source_t *source, const atl_value_t *hparams, const char *name,
                               int32_t n_layers, int32_t *owners) {
  const atl_value_t *ids = find(hparams, name);
  for (int32_t i = 0; i < n_layers; i++) {
    owners[i] = i;
    if (ids == NULL) continue;
    char id[64], other[64];
    ATL_TRY(cycle(source, name, ids, (size_t)i, id));
    for (int32_t j = 0; j < i && owners[i] == i; j++) {
      ATL_TRY(cycle(source, name, ids, (size_t)j, other));
      if (strcmp(id, other) == 0) owners[i] = j;
    }
  }
  return ATL_OK;
}

static atl_status_t get_switches(const atl_hparams_source_t *source, const atl_value_t *hparams,
                                 atl_transformer_config_t *config) {
  bool has_rotary = has_tensor(source, "transformer.pos_emb");
  ATL_TRY(get_bool(source, hparams, "reversible", false, &config->reversible));
  ATL_TRY(get_bool(source, hparams, "stable", false, &config->stable));
  ATL_TRY(get_bool(source, hparams, "sandwich_norm", false, &config->sandwich_norm));
  ATL_TRY(get_bool(source, hparams, "share_input_output_emb", false, &config->share_embeddings));
  ATL_TRY(get_bool(source, hparams, "rotary_emb", has_rotary, &config->rotary));
  return get_bool(source, hparams, "shift_tokens", has_shift_wrappers(source), &config->shift_tokens);
}

atl_status_t atl_hparams_transformer(const atl_hparams_source_t *source, const atl_value_t *hparams,
                                     const atl_vae_config_t *vae, atl_transformer_config_t *config) {
  *config = (atl_transformer_config_t){0};
  ATL_TRY(check_keys(source, hparams, transformer_keys));
  ATL_TRY(get_int(source, hparams, "dim", ABSENT, &config->width));
  ATL_TRY(get_int(source, hparams, "depth", ABSENT, &config->n_layers));
  ATL_CHECK(config->n_layers >= 1 && config->n_layers <= ATL_MAX_LAYERS, INPUT,
            "%s: the hyperparameter depth should be from 1 to %d, found %d", source->path, ATL_MAX_LAYERS,
            config->n_layers);
  ATL_TRY(get_int(source, hparams, "heads", 8, &config->n_heads));
  ATL_TRY(get_int(source, hparams, "dim_head", 64, &config->head_size));
  ATL_TRY(get_int(source, hparams, "text_seq_len", 256, &config->text_length));
  ATL_TRY(get_int(source, hparams, "num_text_tokens", 10000, &config->n_text_tokens));
  config->image_side = vae->image_size >> vae->n_layers;
  config->n_image_tokens = vae->n_tokens;
  ATL_TRY(get_switches(source, hparams, config));
  ATL_TRY(get_attention(source, hparams, config));
  ATL_TRY(get_owners(source, hparams, "shared_attn_ids", config->n_layers, config->attention_owner));
  ATL_TRY(get_owners(source, hparams, "shared_ff_ids", config->n_layers, config->feed_forward_owner));
  return atl_transformer_config_check(config, source->path);
}
