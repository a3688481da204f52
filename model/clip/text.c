/* Embeddings plus positions, causal blocks, ln_final, and the feature at the first position of the largest id (the end
 * symbol) times text_projection. What stands after that position cannot reach it, so it is not computed. */
#include "common/memory.h"
#include "model/clip/clip_private.h"
#include "model/kernels/norm/norm.h"

struct atl_clip_text {
  atl_arena_t arena;
  int32_t width, context_length, embedding_width;
  const float *tokens;    /* token_embedding.weight (V,W) */
  const float *positions; /* positional_embedding (context,W) */
  const float *norm_weight, *norm_bias;
  atl_clip_tower_t *tower;
  atl_linear_t *projection; /* text_projection (W,E), transposed */
  float *x;                 /* (context,W) */
};

static atl_status_t build(atl_clip_text_t *text, const atl_clip_source_t *source, const atl_clip_config_t *config) {
  int64_t width = config->text_width;
  const atl_clip_tensors_t *t = source->tensors;
  text->width = config->text_width, text->context_length = config->context_length;
  text->embedding_width = config->embedding_width;
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, &text->arena, t->text.vectors));
  text->tokens = t->text.vectors.tokens.value, text->positions = t->text.vectors.positions.value;
  text->norm_weight = t->text.vectors.ln_final.weight.value, text->norm_bias = t->text.vectors.ln_final.bias.value;
  ATL_TRY(atl_clip_read_projection(source, &t->text.projection, width, config->embedding_width, &text->projection));
  ATL_TRY(ATL_TAKE(&text->arena, config->context_length * width, &text->x));
  const atl_clip_tower_spec_t spec = {.width = config->text_width,
                                      .n_heads = config->text_heads,
                                      .n_layers = config->text_layers,
                                      .n_positions = config->context_length,
                                      .n_sequences = 1,
                                      .is_causal = true};
  return atl_clip_tower_new(source, t->text.blocks, &spec, &text->tower);
}

atl_status_t atl_clip_text_new(const atl_clip_source_t *source, const atl_clip_config_t *config,
                               atl_clip_text_t **text) {
  ATL_TRY(ATL_NEW(1, text));
  atl_status_t status = build(*text, source, config);
  if (status != ATL_OK) atl_clip_text_destroy(text);
  return status;
}

void atl_clip_text_destroy(atl_clip_text_t **text) {
  if (!*text) return;
  atl_clip_tower_destroy(&(*text)->tower);
  atl_linear_destroy(&(*text)->projection);
  atl_arena_clear(&(*text)->arena);
  ATL_DESTROY(text);
}

void atl_clip_text_run(atl_clip_text_t *text, float *features, const int32_t *ids) {
  int64_t width = text->width;
  int32_t end = 0;
  for (int32_t i = 1; i < text->context_length; i++)
    if (ids[i] > ids[end]) end = i;
  for (int32_t i = 0; i <= end; i++)
    for (int64_t j = 0; j < width; j++)
      text->x[i * width + j] = text->tokens[ids[i] * width + j] + text->positions[i * width + j];
  atl_clip_tower_run(text->tower, text->x, 1, end + 1, end);
  float *last = text->x + end * width;
  atl_norm_layer(last, last, text->norm_weight, text->norm_bias, 1, width);
  atl_linear_apply(text->projection, features, text->embedding_width, last, width, 1, NULL);
}

size_t atl_clip_text_bytes(const atl_clip_text_t *text) {
  return atl_clip_tower_bytes(text->tower) + atl_linear_bytes(text->projection);
}
