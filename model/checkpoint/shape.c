#include "model/checkpoint/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTENTION_TEXT = 1024, MAX_TEXT = 2048, MAX_VALUE = 1 << 24 };

/* The values of a shape; every field is a key. */
typedef struct {
  int32_t width, layers, heads, head_size, text, text_ids, side, codes;
  int32_t rotary, shift, stable, sandwich, reversible, share;
  int32_t vae_layers, vae_blocks, vae_width, codebook, clip;
  char attention[MAX_ATTENTION_TEXT];
} keys_t;

#define KEY_LIST(X)                                                                                                    \
  X(width)                                                                                                             \
  X(layers)                                                                                                            \
  X(heads)                                                                                                             \
  X(head_size)                                                                                                         \
  X(text)                                                                                                              \
  X(text_ids)                                                                                                          \
  X(side)                                                                                                              \
  X(codes)                                                                                                             \
  X(rotary)                                                                                                            \
  X(shift) X(stable) X(sandwich) X(reversible) X(share) X(vae_layers) X(vae_blocks) X(vae_width) X(codebook) X(clip)

static const struct {
  const char *name;
  size_t offset;
} key_fields[] = {
#define X(key) {#key, offsetof(keys_t, key)},
    KEY_LIST(X)
#undef X
};
enum { N_KEYS = sizeof key_fields / sizeof key_fields[0] };

#define DALLE_1024                                                                                                     \
  .width = 1024, .layers = 12, .heads = 16, .head_size = 64, .text = 256, .text_ids = 10000, .side = 32,               \
  .codes = 8192, .rotary = 1, .shift = 1, .vae_layers = 3, .vae_blocks = 1, .vae_width = 64, .codebook = 512

/* The paper's sparse layers: every fourth attends along columns, the last of the 64 over a neighbourhood. */
#define FOUR_LAYERS "axial_row:axial_col:axial_row:axial_row:"
#define TWENTY_LAYERS FOUR_LAYERS FOUR_LAYERS FOUR_LAYERS FOUR_LAYERS FOUR_LAYERS

/* head_size 0 means width / heads. */
static const struct {
  const char *name;
  keys_t keys;
} named_shapes[] = {
    {"tiny",
     {.width = 64,
      .layers = 2,
      .heads = 2,
      .head_size = 32,
      .text = 8,
      .text_ids = 100,
      .side = 4,
      .codes = 64,
      .rotary = 1,
      .shift = 1,
      .vae_layers = 2,
      .vae_blocks = 1,
      .vae_width = 16,
      .codebook = 16,
      .attention = "full:axial_row"}},
    {"dalle-512",
     {.width = 512,
      .layers = 12,
      .heads = 8,
      .text = 256,
      .text_ids = 49408,
      .side = 16,
      .codes = 8192,
      .rotary = 1,
      .shift = 1,
      .vae_layers = 4,
      .vae_blocks = 1,
      .vae_width = 64,
      .codebook = 512,
      .attention = "full"}},
    {"dalle-1024-full", {DALLE_1024, .attention = "full"}},
    {"dalle-1024-sparse",
     {DALLE_1024, .attention = "axial_row:axial_col:axial_row:axial_row:axial_row:axial_col:axial_row:axial_row:"
                               "axial_row:axial_col:axial_row:conv_like"}},
    {"mindalle-1.3b",
     {.width = 1536,
      .layers = 42,
      .heads = 24,
      .head_size = 64,
      .text = 64,
      .text_ids = 16384,
      .side = 16,
      .codes = 16384,
      .rotary = 1,
      .vae_layers = 4,
      .vae_blocks = 2,
      .vae_width = 128,
      .codebook = 256,
      .attention = "full"}},
    {"dalle-12b",
     {.width = 3968,
      .layers = 64,
      .heads = 62,
      .head_size = 64,
      .text = 256,
      .text_ids = 16384,
      .side = 32,
      .codes = 8192,
      .shift = 0,
      .vae_layers = 3,
      .vae_blocks = 2,
      .vae_width = 256,
      .codebook = 512,
      .attention = TWENTY_LAYERS TWENTY_LAYERS TWENTY_LAYERS "axial_row:axial_col:axial_row:conv_like"}},
};
enum { N_SHAPES = sizeof named_shapes / sizeof named_shapes[0] };

static atl_status_t set_name(keys_t *keys, const char *name) {
  for (int i = 0; i < N_SHAPES; i++)
    if (strcmp(named_shapes[i].name, name) == 0) {
      *keys = named_shapes[i].keys;
      return ATL_OK;
    }
  return ATL_FAIL(USAGE,
                  "there is no shape '%s'; known are tiny, dalle-512, dalle-1024-full, dalle-1024-sparse, "
                  "mindalle-1.3b, dalle-12b",
                  name);
}

/* Does `key` equal the text that the user wrote, in which a hyphen stands for an underscore? */
static bool is_key(const char *key, const char *written) {
  while (*key != '\0' && (*key == *written || (*key == '_' && *written == '-'))) key++, written++;
  return *key == '\0' && *written == '\0';
}

static atl_status_t set_key(keys_t *keys, const char *key, const char *value) {
  if (strcmp(key, "attention") == 0) {
    ATL_CHECK(strlen(value) < sizeof keys->attention, USAGE,
              "attention=%s is too long; the kinds are repeated over the layers anyway", value);
    memcpy(keys->attention, value, strlen(value) + 1);
    return ATL_OK;
  }
  for (int i = 0; i < N_KEYS; i++) {
    if (!is_key(key_fields[i].name, key)) continue;
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    ATL_CHECK(end != value && *end == '\0' && errno == 0 && number >= 0 && number <= MAX_VALUE, USAGE,
              "%s=%s: expected an integer from 0 to %d", key, value, MAX_VALUE);
    memcpy((char *)keys + key_fields[i].offset, &(int32_t){(int32_t)number}, sizeof(int32_t));
    return ATL_OK;
  }
  return ATL_FAIL(USAGE,
                  "a shape has no key '%s'; keys are width, layers, heads, head_size, text, text_ids, side, codes, "
                  "attention, rotary, shift, stable, sandwich, reversible, share, vae_layers, vae_blocks, vae_width, "
                  "codebook, clip",
                  key);
}

static atl_status_t read_keys(const char *text, const char *base, keys_t *keys) {
  char copy[MAX_TEXT], *rest = copy;
  ATL_CHECK(strlen(text) < sizeof copy, USAGE, "the shape is longer than %d characters", MAX_TEXT - 1);
  memcpy(copy, text, strlen(text) + 1);
  ATL_TRY(set_name(keys, base));
  for (char *item = strtok_r(copy, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest)) {
    char *equals = strchr(item, '=');
    if (equals == NULL) {
      ATL_CHECK(item == copy, USAGE, "'%s' must come first in a shape; KEY=VALUE follows", item);
      ATL_TRY(set_name(keys, item));
      continue;
    }
    *equals = '\0';
    ATL_TRY(set_key(keys, item, equals + 1));
  }
  return ATL_OK;
}

static atl_status_t find_attention(const char *name, size_t n, atl_attention_kind_t *kind) {
  static const atl_attention_kind_t kinds[] = {ATL_ATTENTION_FULL, ATL_ATTENTION_AXIAL_ROW, ATL_ATTENTION_AXIAL_COL,
                                               ATL_ATTENTION_CONV_LIKE};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (strlen(atl_attention_name(kinds[i])) == n && strncmp(atl_attention_name(kinds[i]), name, n) == 0) {
      *kind = kinds[i];
      return ATL_OK;
    }
  return ATL_FAIL(USAGE, "attention=%s: expected full, axial_row, axial_col or conv_like, joined by ':'", name);
}

static atl_status_t set_layers(const keys_t *keys, atl_transformer_config_t *config) {
  ATL_CHECK(keys->layers >= 1 && keys->layers <= ATL_MAX_LAYERS, USAGE, "layers=%d: expected 1 to %d", keys->layers,
            ATL_MAX_LAYERS);
  const char *next = keys->attention;
  for (int32_t i = 0; i < keys->layers; i++) {
    size_t n = strcspn(next, ":");
    ATL_TRY(find_attention(next, n, &config->attention[i]));
    config->attention_owner[i] = config->feed_forward_owner[i] = i;
    next = next[n] == ':' ? next + n + 1 : keys->attention;
  }
  return ATL_OK;
}

/* `side` is already checked to be at most 256. atl_vae_config_check refuses too many layers. */
static void set_vae(const keys_t *keys, atl_vae_config_t *vae) {
  *vae = (atl_vae_config_t){.image_size = keys->side << (keys->vae_layers < 16 ? keys->vae_layers : 0),
                            .n_layers = keys->vae_layers,
                            .n_res_blocks = keys->vae_blocks,
                            .n_tokens = keys->codes,
                            .codebook_width = keys->codebook,
                            .hidden_width = keys->vae_width,
                            .n_channels = 3};
  for (int i = 0; i < 3; i++) vae->mean[i] = vae->std[i] = 0.5F;
}

static void set_clip(atl_clip_config_t *clip) {
  *clip = (atl_clip_config_t){.embedding_width = 512,
                              .image_size = 224,
                              .vision_width = 768,
                              .vision_layers = 12,
                              .patch_size = 32,
                              .vision_heads = 12,
                              .context_length = 77,
                              .vocabulary = 49408,
                              .text_width = 512,
                              .text_heads = 8,
                              .text_layers = 12};
}

atl_status_t atl_shape_parse(const char *text, const char *base, atl_shape_t *shape) {
  keys_t keys;
  *shape = (atl_shape_t){0};
  ATL_TRY(read_keys(text, base, &keys));
  if (keys.head_size == 0 && keys.heads > 0) keys.head_size = keys.width / keys.heads;
  shape->transformer = (atl_transformer_config_t){.width = keys.width,
                                                  .n_layers = keys.layers,
                                                  .n_heads = keys.heads,
                                                  .head_size = keys.head_size,
                                                  .text_length = keys.text,
                                                  .n_text_tokens = keys.text_ids,
                                                  .image_side = keys.side,
                                                  .n_image_tokens = keys.codes,
                                                  .reversible = keys.reversible != 0,
                                                  .stable = keys.stable != 0,
                                                  .sandwich_norm = keys.sandwich != 0,
                                                  .shift_tokens = keys.shift != 0,
                                                  .rotary = keys.rotary != 0,
                                                  .share_embeddings = keys.share != 0};
  ATL_TRY(set_layers(&keys, &shape->transformer));
  ATL_TRY(atl_transformer_config_check(&shape->transformer, text));
  set_vae(&keys, &shape->vae);
  set_clip(&shape->clip);
  shape->has_clip = keys.clip != 0;
  return atl_vae_config_check(&shape->vae, text);
}
