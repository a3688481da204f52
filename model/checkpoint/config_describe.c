/* One-line descriptions of configurations. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/checkpoint/config.h"

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t text_bytes, const char *format, ...) {
  size_t used = strlen(text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + used, text_bytes - used, format, arguments);
  va_end(arguments);
}

static int32_t count_own(const int32_t *owners, int32_t n) {
  int32_t n_own = 0;
  for (int32_t i = 0; i < n; i++) n_own += owners[i] == i;
  return n_own;
}

const char *atl_transformer_config_describe(const atl_transformer_config_t *c, char *text, size_t text_bytes) {
  snprintf(text, text_bytes, "%d layers of width %d, %d heads of %d; text %d of %d ids, image %dx%d of %d tokens",
           c->n_layers, c->width, c->n_heads, c->head_size, c->text_length, c->n_text_tokens, c->image_side,
           c->image_side, c->n_image_tokens);
  append(text, text_bytes, "; attention");
  for (int kind = ATL_ATTENTION_FULL; kind <= ATL_ATTENTION_CONV_LIKE; kind++) {
    int32_t n = 0;
    for (int32_t i = 0; i < c->n_layers; i++) n += (int)c->attention[i] == kind;
    if (n > 0) append(text, text_bytes, " %dx%s", n, atl_attention_name((atl_attention_kind_t)kind));
  }
  append(text, text_bytes, "; %s positions", c->rotary ? "rotary" : "learned");
  if (c->shift_tokens) append(text, text_bytes, ", token shift");
  if (c->reversible) append(text, text_bytes, ", reversible");
  if (c->stable) append(text, text_bytes, ", stable");
  if (c->sandwich_norm) append(text, text_bytes, ", sandwich norm");
  if (c->share_embeddings) append(text, text_bytes, ", shared embeddings");
  int32_t n_attention = count_own(c->attention_owner, c->n_layers);
  int32_t n_feed_forward = count_own(c->feed_forward_owner, c->n_layers);
  if (n_attention < c->n_layers || n_feed_forward < c->n_layers)
    append(text, text_bytes, ", %d attention and %d feed-forward modules shared by all layers", n_attention,
           n_feed_forward);
  return text;
}

const char *atl_vae_config_describe(const atl_vae_config_t *c, char *text, size_t text_bytes) {
  int32_t side = c->image_size >> c->n_layers;
  snprintf(text, text_bytes,
           "%dx%d pixels of %d channels <-> %dx%d tokens of %d; codebook width %d, hidden width %d, %d "
           "residual blocks",
           c->image_size, c->image_size, c->n_channels, side, side, c->n_tokens, c->codebook_width, c->hidden_width,
           c->n_res_blocks);
  return text;
}

const char *atl_clip_config_describe(const atl_clip_config_t *c, char *text, size_t text_bytes) {
  text[0] = '\0';
  if (c->is_resnet)
    append(text, text_bytes, "ResNet %d,%d,%d,%d of width %d", c->vision_blocks[0], c->vision_blocks[1],
           c->vision_blocks[2], c->vision_blocks[3], c->vision_width);
  else
    append(text, text_bytes, "ViT of %d layers of width %d, patches of %d", c->vision_layers, c->vision_width,
           c->patch_size);
  append(text, text_bytes, ", %dx%d pixels; text %d layers of width %d, %d of %d ids; joint space %d", c->image_size,
         c->image_size, c->text_layers, c->text_width, c->context_length, c->vocabulary, c->embedding_width);
  return text;
}
