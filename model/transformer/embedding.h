/* Embedding: turns tokens at positions into the residual stream (docs/model.md). Only the first stage has it. */
#ifndef ATL_MODEL_TRANSFORMER_EMBEDDING_H
#define ATL_MODEL_TRANSFORMER_EMBEDDING_H

#include "common/arena.h"
#include "model/nn/embedding.h"
#include "model/transformer/tensors.h"

typedef struct {
  int32_t width, n_text_tokens, n_text, image_side; /* D, V_t, T+1, f */
  atl_nn_embedding_t text;     /* text_emb.weight (V_T,D); when shared, rows 0..V_T-1 of to_logits.1.weight */
  atl_nn_embedding_t image;    /* image_emb.weight (V_i,D); when shared, rows V_T.. of to_logits.1.weight */
  const float *text_positions; /* text_pos_emb.weight (T+1,D); NULL with rotary */
  const float *image_rows;     /* image_pos_emb.weights.0 (1,f,1,D); NULL with rotary */
  const float *image_columns;  /* image_pos_emb.weights.1 (1,1,f,D); NULL with rotary */
} atl_embedding_t;

/* Bytes of the tables. Pure. */
size_t atl_embedding_bytes(const atl_transformer_config_t *config);
/* Copies the tables into the arena, which owns them. INPUT, MEMORY. */
atl_status_t atl_embedding_init(atl_embedding_t *embedding, const atl_transformer_source_t *source, atl_arena_t *arena);
/* x(D) <- the tokenizer's id `token` at text position p. Position 0 is the begin symbol and ignores `token`; id 0
 * becomes the private pad of p. */
void atl_embedding_text(const atl_embedding_t *embedding, float *x, int32_t token, int32_t position);
/* x(D) <- image token `token` at image position j, 0..I-1. */
void atl_embedding_image(const atl_embedding_t *embedding, float *x, int32_t token, int32_t position);

#endif
