#include "model/transformer/embedding.h"

#include <string.h>

size_t atl_embedding_bytes(const atl_transformer_config_t *config) {
  size_t n_rows = (size_t)atl_config_vocabulary(config);
  if (!config->rotary) n_rows += (size_t)config->text_length + 1 + 2 * (size_t)config->image_side;
  return n_rows * (size_t)config->width * sizeof(float);
}

static atl_status_t copy_rows(atl_arena_t *arena, const float *from, int64_t n_rows, int64_t width, const float **to) {
  float *copy;
  ATL_TRY(ATL_TAKE(arena, n_rows * width, &copy));
  memcpy(copy, from, (size_t)(n_rows * width) * sizeof *copy);
  *to = copy;
  return ATL_OK;
}

/* Copies the token tables: two separate ones, or with share_embeddings the two parts of the output matrix. */
static atl_status_t init_tokens(atl_embedding_t *embedding, const atl_transformer_source_t *source, atl_arena_t *arena,
                                atl_arena_t *temporary) {
  const atl_transformer_config_t *c = source->config;
  int64_t n_text = atl_config_text_vocabulary(c), n_image = c->n_image_tokens;
  const float *text, *image;
  if (c->share_embeddings) {
    ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, source->tensors.logits.weight));
    text = source->tensors.logits.weight.value;
    image = text + n_text * c->width;
  } else {
    ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, source->tensors.tokens));
    text = source->tensors.tokens.text.value;
    image = source->tensors.tokens.image.value;
  }
  embedding->text = (atl_nn_embedding_t){.n_ids = n_text, .width = c->width};
  embedding->image = (atl_nn_embedding_t){.n_ids = n_image, .width = c->width};
  ATL_TRY(copy_rows(arena, text, n_text, c->width, &embedding->text.weight));
  return copy_rows(arena, image, n_image, c->width, &embedding->image.weight);
}

static atl_status_t init_positions(atl_embedding_t *embedding, const atl_transformer_source_t *source,
                                   atl_arena_t *arena, atl_arena_t *temporary) {
  const atl_transformer_config_t *c = source->config;
  const atl_transformer_tensors_t *t = &source->tensors;
  ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, t->positions));
  ATL_TRY(copy_rows(arena, t->positions.text.value, c->text_length + 1, c->width, &embedding->text_positions));
  ATL_TRY(copy_rows(arena, t->positions.rows.value, c->image_side, c->width, &embedding->image_rows));
  return copy_rows(arena, t->positions.columns.value, c->image_side, c->width, &embedding->image_columns);
}

atl_status_t atl_embedding_init(atl_embedding_t *embedding, const atl_transformer_source_t *source,
                                atl_arena_t *arena) {
  const atl_transformer_config_t *c = source->config;
  *embedding = (atl_embedding_t){
      .width = c->width, .n_text_tokens = c->n_text_tokens, .n_text = c->text_length + 1, .image_side = c->image_side};
  atl_arena_t temporary = {0};
  atl_status_t status = init_tokens(embedding, source, arena, &temporary);
  if (status == ATL_OK && !c->rotary) status = init_positions(embedding, source, arena, &temporary);
  atl_arena_clear(&temporary);
  return status;
}

void atl_embedding_text(const atl_embedding_t *embedding, float *x, int32_t token, int32_t position) {
  size_t width = (size_t)embedding->width;
  ATL_ASSERT(position >= 0 && position < embedding->n_text);
  if (position == 0)
    token = 0;
  else if (token == 0)
    token = embedding->n_text_tokens + position - 1;
  else
    ATL_ASSERT(token > 0 && token < embedding->n_text_tokens);
  atl_nn_embedding_forward(&embedding->text, x, &token, 1, NULL);
  if (embedding->text_positions == NULL) return;
  const float *p = embedding->text_positions + (size_t)position * width;
  for (size_t i = 0; i < width; i++) x[i] += p[i];
}

void atl_embedding_image(const atl_embedding_t *embedding, float *x, int32_t token, int32_t position) {
  size_t width = (size_t)embedding->width;
  atl_nn_embedding_forward(&embedding->image, x, &token, 1, NULL);
  if (embedding->image_rows == NULL) return;
  const float *row = embedding->image_rows + (size_t)(position / embedding->image_side) * width;
  const float *column = embedding->image_columns + (size_t)(position % embedding->image_side) * width;
  for (size_t i = 0; i < width; i++) x[i] += row[i] + column[i];
}
