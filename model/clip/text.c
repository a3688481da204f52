/* Token embeddings plus positions, causal blocks, ln_final; the row at the first position of the largest id (the end
 * symbol) times text_projection. Attention is causal, so later positions do not affect that row and are not computed.
 */
#include "model/clip/text.h"

#include "common/arena.h"
#include "model/clip/tower.h"
#include "model/nn/embedding.h"
#include "model/nn/norm.h"

struct atl_clip_text {
  atl_arena_t arena;
  int32_t width, context_length, embedding_width;
  atl_nn_embedding_t tokens; /* token_embedding.weight (V,W) */
  const float *positions;    /* positional_embedding (context,W) */
  atl_clip_tower_t *tower;
  atl_nn_norm_t norm;         /* ln_final (W) */
  atl_nn_linear_t projection; /* text_projection (W,E_J), transposed */
  float *x;                   /* (context,W) */
};

static atl_status_t init(atl_clip_text_t *text, const atl_clip_source_t *source, const atl_clip_config_t *config) {
  int64_t width = config->text_width;
  const atl_clip_tensors_t *t = source->tensors;
  text->width = config->text_width;
  text->context_length = config->context_length;
  text->embedding_width = config->embedding_width;
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, &text->arena, t->text.vectors));
  text->tokens = (atl_nn_embedding_t){t->text.vectors.tokens.value, config->vocabulary, width};
  text->positions = t->text.vectors.positions.value;
  text->norm = (atl_nn_norm_t){t->text.vectors.ln_final.weight.value, t->text.vectors.ln_final.bias.value, width};
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
  atl_status_t status = init(*text, source, config);
  if (status != ATL_OK) atl_clip_text_destroy(text);
  return status;
}

void atl_clip_text_destroy(atl_clip_text_t **text) {
  if (!*text) return;
  atl_clip_tower_destroy(&(*text)->tower);
  atl_nn_linear_clear(&(*text)->projection);
  atl_arena_clear(&(*text)->arena);
  ATL_DESTROY(text);
}

void atl_clip_text_run(atl_clip_text_t *text, float *features, const int32_t *ids) {
  int64_t width = text->width;
  int32_t end = 0;
  for (int32_t i = 1; i < text->context_length; i++)
    if (ids[i] > ids[end]) end = i;
  float *last = text->x + end * width;
  atl_nn_embedding_forward(&text->tokens, text->x, ids, end + 1, NULL); /* x(end+1,W) */
  for (int64_t i = 0; i < (end + 1) * width; i++) text->x[i] += text->positions[i];
  atl_clip_tower_run(text->tower, text->x, 1, end + 1, end);         /* x(end+1,W), row `end` of it */
  atl_nn_norm_forward(&text->norm, last, last, 1, NULL);             /* last(W) */
  atl_nn_linear_forward(&text->projection, features, last, 1, NULL); /* features(E_J) */
}

size_t atl_clip_text_bytes(const atl_clip_text_t *text) {
  return atl_clip_tower_bytes(text->tower) + atl_linear_bytes(text->projection.packed);
}
