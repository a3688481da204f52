/* A config comes from an untrusted file. Each field has a range, and conditions on several fields are checked in one
 * place, so that no later product of sizes overflows. */
#include "model/checkpoint/config.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { MAX_WIDTH = 1 << 16, MAX_TOKENS = 1 << 24, MAX_LENGTH = 1 << 16, MAX_SIDE = 256, MAX_PIXELS = 1 << 13 };

static const char *const attention_names[] = {"full", "axial_row", "axial_col", "conv_like"};
enum { N_ATTENTIONS = sizeof attention_names / sizeof *attention_names };

typedef struct {
  const char *name;
  size_t offset; /* of an int32_t in the config */
  int32_t min, max;
} int_field_t;

typedef struct {
  const char *name;
  size_t offset; /* of a bool in the config */
} bool_field_t;

#define FIELD(type, name, min, max)                                                                                    \
  { #name, offsetof(type, name), min, max }
#define N_OF(array) (sizeof(array) / sizeof *(array))

static const int_field_t transformer_ints[] = {
    FIELD(atl_transformer_config_t, width, 1, MAX_WIDTH),
    FIELD(atl_transformer_config_t, n_layers, 1, ATL_MAX_LAYERS),
    FIELD(atl_transformer_config_t, n_heads, 1, 4096),
    FIELD(atl_transformer_config_t, head_size, 1, 4096),
    FIELD(atl_transformer_config_t, text_length, 1, MAX_LENGTH),
    FIELD(atl_transformer_config_t, n_text_tokens, 1, MAX_TOKENS),
    FIELD(atl_transformer_config_t, image_side, 1, MAX_SIDE),
    FIELD(atl_transformer_config_t, n_image_tokens, 1, 65536), /* finished token grids are stored as uint16 */
};
#define FLAG(name)                                                                                                     \
  { #name, offsetof(atl_transformer_config_t, name) }
static const bool_field_t transformer_flags[] = {FLAG(reversible),   FLAG(stable), FLAG(sandwich_norm),
                                                 FLAG(shift_tokens), FLAG(rotary), FLAG(share_embeddings)};
#undef FLAG
static const int_field_t vae_ints[] = {
    FIELD(atl_vae_config_t, image_size, 2, MAX_PIXELS),
    FIELD(atl_vae_config_t, n_layers, 1, 12),
    FIELD(atl_vae_config_t, n_res_blocks, 0, 256),
    FIELD(atl_vae_config_t, n_tokens, 1, 65536),
    FIELD(atl_vae_config_t, codebook_width, 1, MAX_WIDTH),
    FIELD(atl_vae_config_t, hidden_width, 1, MAX_WIDTH),
    FIELD(atl_vae_config_t, n_channels, 3, 4),
};
static const int_field_t clip_ints[] = {
    FIELD(atl_clip_config_t, embedding_width, 1, MAX_WIDTH),  FIELD(atl_clip_config_t, image_size, 1, MAX_PIXELS),
    FIELD(atl_clip_config_t, vision_width, 1, MAX_WIDTH),     FIELD(atl_clip_config_t, vision_heads, 1, 4096),
    FIELD(atl_clip_config_t, context_length, 2, MAX_LENGTH),  FIELD(atl_clip_config_t, vocabulary, 3, MAX_TOKENS),
    FIELD(atl_clip_config_t, text_width, 1, MAX_WIDTH),       FIELD(atl_clip_config_t, text_heads, 1, 4096),
    FIELD(atl_clip_config_t, text_layers, 1, ATL_MAX_LAYERS),
};
static const int_field_t clip_vit_ints[] = {
    FIELD(atl_clip_config_t, vision_layers, 1, ATL_MAX_LAYERS),
    FIELD(atl_clip_config_t, patch_size, 1, MAX_PIXELS),
};

const char *atl_attention_name(atl_attention_kind_t kind) { return attention_names[kind]; }

/* ---- fields ---- */

static atl_status_t get_ints(const json_t *object, const char *where, const int_field_t *fields, size_t n,
                             void *config) {
  for (size_t i = 0; i < n; i++) {
    int64_t value;
    ATL_TRY(atl_json_get_int(object, where, fields[i].name, fields[i].min, fields[i].max, &value));
    *(int32_t *)(void *)((char *)config + fields[i].offset) = (int32_t)value;
  }
  return ATL_OK;
}

static atl_status_t check_ints(const char *where, const int_field_t *fields, size_t n, const void *config) {
  for (size_t i = 0; i < n; i++) {
    int32_t value = *(const int32_t *)(const void *)((const char *)config + fields[i].offset);
    ATL_CHECK(value >= fields[i].min && value <= fields[i].max, INPUT, "%s: %s should be from %d to %d, found %d",
              where, fields[i].name, fields[i].min, fields[i].max, value);
  }
  return ATL_OK;
}

static void set_ints(json_t *object, const int_field_t *fields, size_t n, const void *config) {
  for (size_t i = 0; i < n; i++)
    json_object_set_new(object, fields[i].name,
                        json_integer(*(const int32_t *)(const void *)((const char *)config + fields[i].offset)));
}

/* The list of exactly n items under `name`. */
static atl_status_t get_list(const json_t *object, const char *where, const char *name, size_t n, const json_t **list) {
  *list = json_object_get(object, name);
  ATL_CHECK(json_is_array(*list) && json_array_size(*list) == n, INPUT,
            "%s: the field \"%s\" should be a list of %zu items, found %zu", where, name, n,
            json_is_array(*list) ? json_array_size(*list) : 0);
  return ATL_OK;
}

static atl_status_t get_int_list(const json_t *object, const char *where, const char *name, size_t n, int64_t max,
                                 int32_t *values) {
  const json_t *list;
  ATL_TRY(get_list(object, where, name, n, &list));
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(list, i);
    ATL_CHECK(json_is_integer(item) && json_integer_value(item) >= 0 && json_integer_value(item) <= max, INPUT,
              "%s: item %zu of \"%s\" should be an integer from 0 to %lld", where, i, name, (long long)max);
    values[i] = (int32_t)json_integer_value(item);
  }
  return ATL_OK;
}

static json_t *int_list(const int32_t *values, size_t n) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer(values[i]));
  return list;
}

static atl_status_t finish(json_t *object, json_t **result) {
  ATL_CHECK(object != NULL, MEMORY, "out of memory while writing a configuration as JSON");
  *result = object;
  return ATL_OK;
}

/* ---- transformer ---- */

static atl_status_t get_attention(const json_t *object, const char *where, atl_transformer_config_t *config) {
  const json_t *list;
  ATL_TRY(get_list(object, where, "attention", (size_t)config->n_layers, &list));
  for (int32_t i = 0; i < config->n_layers; i++) {
    const char *name = json_string_value(json_array_get(list, (size_t)i));
    int kind = 0;
    while (kind < N_ATTENTIONS && (name == NULL || strcmp(name, attention_names[kind]) != 0)) kind++;
    ATL_CHECK(kind < N_ATTENTIONS, UNSUPPORTED,
              "%s: attention of layer %d: expected full, axial_row, axial_col or conv_like, found %s", where, i,
              name == NULL ? "no text" : name);
    config->attention[i] = (atl_attention_kind_t)kind;
  }
  return ATL_OK;
}

atl_status_t atl_transformer_config_check(const atl_transformer_config_t *config, const char *where) {
  ATL_TRY(check_ints(where, transformer_ints, N_OF(transformer_ints), config));
  ATL_CHECK(config->n_heads * config->head_size <= MAX_WIDTH, INPUT, "%s: %d heads of size %d are wider than %d", where,
            config->n_heads, config->head_size, MAX_WIDTH);
  ATL_CHECK(!config->rotary || config->head_size >= 6, INPUT,
            "%s: rotary positions need a head size of 6 or more, found %d", where, config->head_size);
  for (int32_t i = 0; i < config->n_layers; i++) {
    int32_t a = config->attention_owner[i], f = config->feed_forward_owner[i];
    ATL_CHECK(a >= 0 && a <= i && config->attention_owner[a] == a && f >= 0 && f <= i &&
                  config->feed_forward_owner[f] == f,
              INPUT, "%s: layer %d shares the weights of layers %d and %d, which must come first and own theirs", where,
              i, a, f);
    ATL_CHECK(config->attention[i] == config->attention[a], INPUT,
              "%s: layer %d (%s) shares the attention of layer %d (%s); both must be of the same kind", where, i,
              atl_attention_name(config->attention[i]), a, atl_attention_name(config->attention[a]));
  }
  return ATL_OK;
}

atl_status_t atl_transformer_config_from_json(const json_t *object, const char *where,
                                              atl_transformer_config_t *config) {
  *config = (atl_transformer_config_t){0};
  ATL_TRY(get_ints(object, where, transformer_ints, N_OF(transformer_ints), config));
  for (size_t i = 0; i < N_OF(transformer_flags); i++) {
    bool *flag = (bool *)((char *)config + transformer_flags[i].offset);
    ATL_TRY(atl_json_get_bool(object, where, transformer_flags[i].name, flag));
  }
  size_t n = (size_t)config->n_layers;
  ATL_TRY(get_attention(object, where, config));
  ATL_TRY(get_int_list(object, where, "attention_owner", n, ATL_MAX_LAYERS - 1, config->attention_owner));
  ATL_TRY(get_int_list(object, where, "feed_forward_owner", n, ATL_MAX_LAYERS - 1, config->feed_forward_owner));
  return atl_transformer_config_check(config, where);
}

atl_status_t atl_transformer_config_to_json(const atl_transformer_config_t *config, json_t **object) {
  json_t *made = json_object(), *attention = json_array();
  set_ints(made, transformer_ints, N_OF(transformer_ints), config);
  for (size_t i = 0; i < N_OF(transformer_flags); i++)
    json_object_set_new(made, transformer_flags[i].name,
                        json_boolean(*((const bool *)config + transformer_flags[i].offset)));
  for (int32_t i = 0; i < config->n_layers; i++)
    json_array_append_new(attention, json_string(atl_attention_name(config->attention[i])));
  size_t n = (size_t)config->n_layers;
  json_object_set_new(made, "attention", attention);
  json_object_set_new(made, "attention_owner", int_list(config->attention_owner, n));
  json_object_set_new(made, "feed_forward_owner", int_list(config->feed_forward_owner, n));
  return finish(made, object);
}

/* ---- dVAE ---- */

static atl_status_t get_reals(const json_t *object, const char *where, const char *name, size_t n, float *values) {
  const json_t *list;
  ATL_TRY(get_list(object, where, name, n, &list));
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(list, i);
    ATL_CHECK(json_is_number(item), INPUT, "%s: item %zu of \"%s\" should be a number", where, i, name);
    values[i] = (float)json_number_value(item);
  }
  return ATL_OK;
}

static json_t *real_list(const float *values, size_t n) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) json_array_append_new(list, json_real((double)values[i]));
  return list;
}

atl_status_t atl_vae_config_check(const atl_vae_config_t *config, const char *where) {
  ATL_TRY(check_ints(where, vae_ints, N_OF(vae_ints), config));
  int32_t size = config->image_size;
  ATL_CHECK((size & (size - 1)) == 0 && size >> config->n_layers >= 1, INPUT,
            "%s: the image size should be a power of 2 that can be halved %d times, found %d", where, config->n_layers,
            size);
  for (int32_t i = 0; i < config->n_channels; i++)
    ATL_CHECK(isfinite(config->mean[i]) && isfinite(config->std[i]) && config->std[i] > 0, INPUT,
              "%s: normalisation of channel %d should be a mean and a positive standard deviation, found %g and %g",
              where, i, (double)config->mean[i], (double)config->std[i]);
  return ATL_OK;
}

atl_status_t atl_vae_config_from_json(const json_t *object, const char *where, atl_vae_config_t *config) {
  *config = (atl_vae_config_t){0};
  ATL_TRY(get_ints(object, where, vae_ints, N_OF(vae_ints), config));
  ATL_TRY(get_reals(object, where, "mean", (size_t)config->n_channels, config->mean));
  ATL_TRY(get_reals(object, where, "std", (size_t)config->n_channels, config->std));
  return atl_vae_config_check(config, where);
}

atl_status_t atl_vae_config_to_json(const atl_vae_config_t *config, json_t **object) {
  json_t *made = json_object();
  set_ints(made, vae_ints, N_OF(vae_ints), config);
  json_object_set_new(made, "mean", real_list(config->mean, (size_t)config->n_channels));
  json_object_set_new(made, "std", real_list(config->std, (size_t)config->n_channels));
  return finish(made, object);
}

/* ---- CLIP ---- */

atl_status_t atl_clip_config_check(const atl_clip_config_t *config, const char *where) {
  ATL_TRY(check_ints(where, clip_ints, N_OF(clip_ints), config));
  if (!config->is_resnet) ATL_TRY(check_ints(where, clip_vit_ints, N_OF(clip_vit_ints), config));
  ATL_CHECK(!config->is_resnet || config->vision_width <= MAX_WIDTH / 32, INPUT, "%s: a ResNet of width %d is too wide",
            where, config->vision_width);
  for (int i = 0; config->is_resnet && i < 4; i++)
    ATL_CHECK(config->vision_blocks[i] >= 1 && config->vision_blocks[i] <= ATL_MAX_LAYERS, INPUT,
              "%s: layer%d of the ResNet should have 1 to %d blocks, found %d", where, i + 1, ATL_MAX_LAYERS,
              config->vision_blocks[i]);
  int32_t vision = config->is_resnet ? 32 * config->vision_width : config->vision_width;
  ATL_CHECK(config->text_width % config->text_heads == 0 && vision % config->vision_heads == 0, INPUT,
            "%s: widths %d and %d should be divisible by %d and %d heads", where, config->text_width, vision,
            config->text_heads, config->vision_heads);
  int32_t unit = config->is_resnet ? 32 : config->patch_size;
  ATL_CHECK(config->image_size % unit == 0, INPUT, "%s: the image size %d should be a multiple of %d", where,
            config->image_size, unit);
  return ATL_OK;
}

atl_status_t atl_clip_config_from_json(const json_t *object, const char *where, atl_clip_config_t *config) {
  *config = (atl_clip_config_t){0};
  ATL_TRY(atl_json_get_bool(object, where, "is_resnet", &config->is_resnet));
  ATL_TRY(get_ints(object, where, clip_ints, N_OF(clip_ints), config));
  if (config->is_resnet)
    ATL_TRY(get_int_list(object, where, "vision_blocks", 4, ATL_MAX_LAYERS, config->vision_blocks));
  else
    ATL_TRY(get_ints(object, where, clip_vit_ints, N_OF(clip_vit_ints), config));
  return atl_clip_config_check(config, where);
}

atl_status_t atl_clip_config_to_json(const atl_clip_config_t *config, json_t **object) {
  json_t *made = json_object();
  json_object_set_new(made, "is_resnet", json_boolean(config->is_resnet));
  set_ints(made, clip_ints, N_OF(clip_ints), config);
  if (config->is_resnet)
    json_object_set_new(made, "vision_blocks", int_list(config->vision_blocks, 4));
  else
    set_ints(made, clip_vit_ints, N_OF(clip_vit_ints), config);
  return finish(made, object);
}
