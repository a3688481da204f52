/* Config: the sizes and switches that determine a model's architecture, as plain data.
 *
 * `atelier convert` takes them from a checkpoint's hparams (transformer, dVAE) or from its tensors' shapes (CLIP) and
 * writes them to model.json; all other commands read them from there. Letters (docs/model.md): T text length, I image
 * length, f image side (I = f*f), D width, H heads, E head size, L layers, V_t text ids of the tokenizer, V_T = V_t + T
 * text ids including a private pad id per text position, V_i image tokens, K codebook width.
 *
 *     atl_vae_config_t config;
 *     ATL_TRY(atl_vae_config_from_json(object, "mymodel/model.json", &config));
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
} atl_attention_kind_t;

/* DALLE-pytorch's DALLE. Quoted names are its hparams. */
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
  bool rotary;                                    /* false: learned text positions and axial image positions */
  bool share_embeddings;                          /* token embeddings are rows of the output matrix */
  atl_attention_kind_t attention[ATL_MAX_LAYERS]; /* kind of each layer's attention */
  int32_t attention_owner[ATL_MAX_LAYERS]; /* the first layer with the attention weights of layer i; i if not shared */
  int32_t feed_forward_owner[ATL_MAX_LAYERS];
} atl_transformer_config_t;

/* DALLE-pytorch's DiscreteVAE. */
typedef struct {
  int32_t image_size; /* side in pixels, a power of 2 */
  int32_t n_layers;   /* convolutions of stride 2: each halves the side */
  int32_t n_res_blocks;
  int32_t n_tokens;       /* V_i */
  int32_t codebook_width; /* K */
  int32_t hidden_width;
  int32_t n_channels;    /* 3 or 4 */
  float mean[4], std[4]; /* per channel: the encoder reads (rgb - mean) / std, the decoder gives such values */
} atl_vae_config_t;

/* OpenAI CLIP, from tensor shapes. */
typedef struct {
  bool is_resnet;
  int32_t embedding_width; /* E_J, of the joint space */
  int32_t image_size;
  int32_t vision_width;     /* ViT: W; ResNet: width of the stem */
  int32_t vision_layers;    /* ViT */
  int32_t vision_blocks[4]; /* ResNet: bottlenecks of layer1..4 */
  int32_t patch_size;       /* ViT */
  int32_t vision_heads;
  int32_t context_length;
  int32_t vocabulary;
  int32_t text_width, text_heads, text_layers;
} atl_clip_config_t;

/* I, the image tokens of a picture; V_T, the text ids with private pads; V = V_T + V_i, all ids. */
static inline int32_t atl_config_image_length(const atl_transformer_config_t *c) {
  return c->image_side * c->image_side;
}
static inline int32_t atl_config_text_vocabulary(const atl_transformer_config_t *c) {
  return c->n_text_tokens + c->text_length;
}
static inline int32_t atl_config_vocabulary(const atl_transformer_config_t *c) {
  return atl_config_text_vocabulary(c) + c->n_image_tokens;
}
const char *atl_attention_name(atl_attention_kind_t kind); /* "axial_row" */

/* Convert between a config and its object in model.json. *_from_json checks each field and the whole config; `where`
 * names the file in messages. INPUT names the field; UNSUPPORTED: an unknown kind of attention. *_to_json: MEMORY;
 * caller owns the object. */
atl_status_t atl_transformer_config_from_json(const json_t *object, const char *where,
                                              atl_transformer_config_t *config);
atl_status_t atl_vae_config_from_json(const json_t *object, const char *where, atl_vae_config_t *config);
atl_status_t atl_clip_config_from_json(const json_t *object, const char *where, atl_clip_config_t *config);
atl_status_t atl_transformer_config_to_json(const atl_transformer_config_t *config, json_t **object);
atl_status_t atl_vae_config_to_json(const atl_vae_config_t *config, json_t **object);
atl_status_t atl_clip_config_to_json(const atl_clip_config_t *config, json_t **object);
/* Write a one-line description, "4 layers of width 256, ...", to text; return text. */
const char *atl_transformer_config_describe(const atl_transformer_config_t *config, char *text, size_t text_bytes);
const char *atl_vae_config_describe(const atl_vae_config_t *config, char *text, size_t text_bytes);
const char *atl_clip_config_describe(const atl_clip_config_t *config, char *text, size_t text_bytes);
/* The checks of *_from_json, ranges and consistency, for configs from other sources. INPUT. */
atl_status_t atl_transformer_config_check(const atl_transformer_config_t *config, const char *where);
atl_status_t atl_vae_config_check(const atl_vae_config_t *config, const char *where);
atl_status_t atl_clip_config_check(const atl_clip_config_t *config, const char *where);

#endif
