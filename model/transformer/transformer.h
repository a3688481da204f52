/* Transformer: DALLE-pytorch's decoder (docs/model.md), or the contiguous part of its layers that one stage
 * owns, with the key/value cache that makes drawing token by token exact.
 *
 * The unit of work is a row: one sequence at one position. A call takes any rows in any mix, in order:
 *
 *     position 0..T      begin symbol and text; `sequence` names a PREFIX: text keys and values, stored once per
 *                        prompt and shared by all its samples
 *     position T+1..T+I  image token j = position-T-1; `sequence` names a SAMPLE, bound to a prefix
 *
 * Rows of one sequence must come in order of position, in one call or over several. Prefill is a call with many rows
 * of few sequences, drawing a step is a call with one row of many. Each row's numbers are the same either way, bit for
 * bit, whoever shares its call.
 *
 *     ATL_TRY(atl_transformer_new(model, &part, &t));
 *     atl_transformer_embed(t, x, rows, tokens, n);             first stage
 *     atl_transformer_run(t, x, rows, n, progress, context);    every stage, in place
 *     atl_transformer_image_logits(t, logits, x, n);            last stage
 *
 * x is the residual stream: (n, C, D) with C = 1, or 2 when reversible (docs/model.md). Row stride
 * atl_transformer_row_width = C*D floats. Local; knows nothing of ranks. Nothing is allocated after `new`.
 */
#ifndef ATL_MODEL_TRANSFORMER_TRANSFORMER_H
#define ATL_MODEL_TRANSFORMER_TRANSFORMER_H

#include "model/checkpoint/model.h"
#include "model/transformer/part.h"
#include "model/transformer/rows.h"

typedef struct atl_transformer atl_transformer_t;

/* Reads and packs the weights of the part. INPUT, MEMORY. Borrows the model during the call only. Caller owns. */
atl_status_t atl_transformer_new(const atl_model_t *model, const atl_transformer_part_t *part, atl_transformer_t **t);
void atl_transformer_destroy(atl_transformer_t **t);

/* Bytes `new` will allocate for this part: weights, cache (of them per prefix and per sample) and scratch. Pure. */
void atl_transformer_get_bytes(const atl_transformer_config_t *config, const atl_transformer_part_t *part,
                               atl_transformer_bytes_t *bytes);

int64_t atl_transformer_row_width(const atl_transformer_config_t *config);

/* From now on rows of `sample` read the text of `prefix`; its image part is empty. */
void atl_transformer_bind(atl_transformer_t *t, int32_t sample, int32_t prefix);
/* Makes sample `to` a copy of the first n_image image positions of sample `from` (cache and shift state) and binds it
 * to the same prefix: priming is computed once per prompt. n_image is what `from` has seen. */
void atl_transformer_copy(atl_transformer_t *t, int32_t to, int32_t from, int32_t n_image);

/* x(n,C,D) <- embeddings. tokens[i]: for a text row the tokenizer's id (0 = padding, becomes the private pad of its
 * position; position 0 is the begin symbol and its token is ignored), for an image row the image code. */
void atl_transformer_embed(atl_transformer_t *t, float *x, const atl_row_t *rows, const int32_t *tokens, int32_t n);
/* x through the layers [first_layer, end_layer), in place. */
void atl_transformer_run(atl_transformer_t *t, float *x, const atl_row_t *rows, int32_t n,
                         atl_transformer_progress_t progress, void *context);
/* logits(n,V_i) <- the image logits of each row: what is drawn from. */
void atl_transformer_image_logits(atl_transformer_t *t, float *logits, const float *x, int32_t n);
/* logits(n,V_T+V_i) <- all logits with DALLE's mask: row i of position p may predict text ids if p < T, image ids
 * otherwise; the rest is -FLT_MAX. */
void atl_transformer_all_logits(atl_transformer_t *t, float *logits, const float *x, const atl_row_t *rows, int32_t n);

#endif
