/* Config: the sizes and switches that decide a model's architecture, as plain data.
 *
 * They come from a checkpoint's hparams (transformer, dVAE) or from its tensors' shapes (CLIP), are written to
 * model.json by `atelier convert` and read from there by everything else. Letters (docs/model.md): T text length,
 * I image length, f image side (I = f*f), D width, H heads, E head size, L layers, V_t text ids of the tokenizer,
 * V_T = V_t + T with a private pad id per text position, V_i image codes, K codebook width.
 */
#ifndef ATL_MODEL_CHECKPOINT_CONFIG_H
#define ATL_MODEL_CHECKPOINT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json.h"
#include "common/status.h"

enum { ATL_MAX_LAYERS = 256, ATL_CONV_KERNEL = 5 };

typedef enum {
  ATL_ATTENTION_FULL,
  ATL_ATTENTION_AXIAL_ROW,
  ATL_ATTENTION_AXIAL_COL,
  ATL_ATTENTION_CONV_LIKE
} atl_attention_t;

/* DALLE-pytorch's DALLE. */
typedef struct {
  int32_t width;          /* D */
  int32_t n_layers;       /* L, "depth" */
  int32_t n_heads;        /* H */
  int32_t head_size;      /* E, "dim_head" */
  int32_t text_length;    /* T, "text_seq_len" */
  int32_t n_text_tokens;  /* V_t, "num_text_tokens" */
  int32_t image_side;     /* f */
  int32_t n_image_tokens; /* V_i */
  bool reversible;
  bool stable;
  bool sandwich_norm;
  bool shift_tokens;
  bool rotary; /* else learned text and axial image positions */
  bool share_embeddings;
  atl_attention_t attention[ATL_MAX_LAYERS]; /* kind of each layer's attention */
  int32_t attention_owner[ATL_MAX_LAYERS];   /* first layer whose attention weights layer i uses (i when not shared) */
  int32_t feed_forward_owner[ATL_MAX_LAYERS];
} atl_transformer_config_t;

/* DALLE-pytorch's DiscreteVAE. */
typedef struct {
  int32_t image_size; /* pixels a side, a power of 2 */
  int32_t n_layers;   /* each halves the side */
  int32_t n_res_blocks;
  int32_t n_tokens;       /* V_i */
  int32_t codebook_width; /* K */
  int32_t hidden_width;
  int32_t n_channels;    /* 3 or 4 */
  float mean[4], std[4]; /* encode: (rgb - mean) / std; decode gives normalised values */
} atl_vae_config_t;

/* OpenAI CLIP, from tensor shapes. */
typedef struct {
  bool is_resnet;
  int32_t embedding_width; /* E of the joint space */
  int32_t image_size;
  int32_t vision_width;     /* ViT: W; ResNet: the stem's width */
  int32_t vision_layers;    /* ViT */
  int32_t vision_blocks[4]; /* ResNet: bottlenecks of layer1..4 */
  int32_t patch_size;       /* ViT */
  int32_t vision_heads;
  int32_t context_length;
  int32_t vocabulary;
  int32_t text_width, text_heads, text_layers;
} atl_clip_config_t;

/* Image tokens I, text ids with private pads V_T, all ids V. */
static inline int32_t atl_config_image_length(const atl_transformer_config_t *c) {
  return c->image_side * c->image_side;
}
static inline int32_t atl_config_text_vocabulary(const atl_transformer_config_t *c) {
  return c->n_text_tokens + c->text_length;
}
static inline int32_t atl_config_vocabulary(const atl_transformer_config_t *c) {
  return atl_config_text_vocabulary(c) + c->n_image_tokens;
}
const char *atl_attention_name(atl_attention_t kind); /* "axial_row" */

/* Between config and its object in model.json. *_from_json checks every field (INPUT names it) and the consistency of
 * the whole; `where` names the file in messages. *_to_json: caller owns. */
atl_status_t atl_transformer_config_from_json(const json_t *object, const char *where,
                                              atl_transformer_config_t *config);
atl_status_t atl_vae_config_from_json(const json_t *object, const char *where, atl_vae_config_t *config);
atl_status_t atl_clip_config_from_json(const json_t *object, const char *where, atl_clip_config_t *config);
atl_status_t atl_transformer_config_to_json(const atl_transformer_config_t *config, json_t **object);
atl_status_t atl_vae_config_to_json(const atl_vae_config_t *config, json_t **object);
atl_status_t atl_clip_config_to_json(const atl_clip_config_t *config, json_t **object);
/* One line for people, "4 layers of width 256, ...", into text; returns text. */
const char *atl_transformer_config_describe(const atl_transformer_config_t *config, char *text, size_t text_bytes);
const char *atl_vae_config_describe(const atl_vae_config_t *config, char *text, size_t text_bytes);
const char *atl_clip_config_describe(const atl_clip_config_t *config, char *text, size_t text_bytes);
/* What from_json checks, ranges and the whole, for configs that come from elsewhere. */
atl_status_t atl_transformer_config_check(const atl_transformer_config_t *config, const char *where);
atl_status_t atl_vae_config_check(const atl_vae_config_t *config, const char *where);
atl_status_t atl_clip_config_check(const atl_clip_config_t *config, const char *where);

#endif
