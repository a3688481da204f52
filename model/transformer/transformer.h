/* Transformer: DALLE-pytorch's decoder (docs/model.md), or the contiguous range of its layers that one stage owns, with
 * the key/value cache that lets it draw token by token.
 *
 * The unit of work is a row: one sequence at one position. A call takes any mix of rows:
 *
 *     position 0..T      begin symbol and text; `sequence` names a PREFIX: text keys and values, stored once per
 *                        prompt and shared by all its samples
 *     position T+1..T+I  image token j = position-T-1; `sequence` names a SAMPLE, bound to a prefix
 *
 * The rows of one sequence must come in order of position, within a call and from call to call. Prefill is a call with
 * many rows of few sequences; a drawing step is a call with one row of each of many sequences. A row's results are the
 * same bit for bit in either case, whatever other rows are in its call.
 *
 *     ATL_TRY(atl_transformer_new(model, &part, &t));
 *     atl_transformer_embed(t, x, rows, tokens, n);             first stage
 *     atl_transformer_run(t, x, rows, n, progress, context);    every stage, in place
 *     atl_transformer_image_logits(t, logits, x, n);            last stage
 *
 * x is the residual stream, (n, C, D) with C = 1, or 2 when reversible (docs/model.md); a row is
 * atl_transformer_row_width = C*D floats. All functions are local: this module has no notion of ranks. Nothing is
 * allocated after `new`.
 */
#ifndef ATL_MODEL_TRANSFORMER_TRANSFORMER_H
#define ATL_MODEL_TRANSFORMER_TRANSFORMER_H

#include "model/checkpoint/model.h"
#include "model/transformer/part.h"
#include "model/transformer/rows.h"

typedef struct atl_transformer atl_transformer_t;

/* Reads and packs the weights of the part, and allocates its state. INPUT, MEMORY. Borrows the model during the call
 * only. Caller owns. */
atl_status_t atl_transformer_new(const atl_model_t *model, const atl_transformer_part_t *part, atl_transformer_t **t);
void atl_transformer_destroy(atl_transformer_t **t);

/* Bytes that `new` allocates for this part: weights, state per prefix and per sample, and scratch. Pure. */
void atl_transformer_get_bytes(const atl_transformer_config_t *config, const atl_transformer_part_t *part,
                               atl_transformer_bytes_t *bytes);

/* C*D, the floats of a row of x. */
int64_t atl_transformer_row_width(const atl_transformer_config_t *config);

/* Binds `sample` to `prefix`: its rows now read the text of `prefix`, and start again at image position 0. */
void atl_transformer_bind(atl_transformer_t *t, int32_t sample, int32_t prefix);
/* Copies cache and shift state of sample `from`, which has seen n_image image positions, to sample `to`, and binds `to`
 * to the same prefix. The prime is thus computed once per prompt. */
void atl_transformer_copy(atl_transformer_t *t, int32_t to, int32_t from, int32_t n_image);

/* x(n,C,D) <- embeddings. tokens[i] of an image row is its image token. Of a text row it is the tokenizer's id; id 0 is
 * padding and becomes the private pad of its position. Position 0 is the begin symbol, and its token is ignored. */
void atl_transformer_embed(atl_transformer_t *t, float *x, const atl_row_t *rows, const int32_t *tokens, int32_t n);
/* Applies layers [first_layer, end_layer) to x, in place. Calls progress(context) between steps, unless it is NULL. */
void atl_transformer_run(atl_transformer_t *t, float *x, const atl_row_t *rows, int32_t n,
                         atl_transformer_progress_t progress, void *context);
/* logits(n,V_i) <- the image logits of each row, from which the sampler draws. */
void atl_transformer_image_logits(atl_transformer_t *t, float *logits, const float *x, int32_t n);
/* logits(n,V_T+V_i) <- all logits with DALLE's mask: a row at position p predicts text ids if p < T, else image tokens.
 * The other logits are -FLT_MAX. */
void atl_transformer_all_logits(atl_transformer_t *t, float *logits, const float *x, const atl_row_t *rows, int32_t n);

#endif
