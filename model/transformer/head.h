/* Head: turns the residual stream into logits (docs/model.md). Only the last stage has it. The output matrix is packed
 * as two linear layers, text ids and image tokens, because drawing computes the image tokens only.
 */
#ifndef ATL_MODEL_TRANSFORMER_HEAD_H
#define ATL_MODEL_TRANSFORMER_HEAD_H

#include "common/arena.h"
#include "model/nn/linear.h"
#include "model/nn/norm.h"
#include "model/transformer/tensors.h"

typedef struct {
  int32_t width, n_streams;    /* D, C */
  bool stable;                 /* divide by the largest component before the norm */
  atl_nn_norm_t norm;          /* to_logits.0 (D) */
  atl_nn_linear_t text, image; /* to_logits.1 (V_T,D) and (V_i,D) with their biases */
} atl_head_t;

/* Bytes of the head's packed weights and its norm. Pure. */
size_t atl_head_bytes(const atl_transformer_config_t *config, atl_dtype_t dtype, atl_backend_t backend);
/* INPUT, MEMORY. The arena owns the norm. Caller clears, which destroys the linear layers. */
atl_status_t atl_head_init(atl_head_t *head, const atl_transformer_source_t *source, atl_dtype_t dtype,
                           atl_backend_t backend, atl_arena_t *arena);
void atl_head_clear(atl_head_t *head);
/* normed(n,D) <- x(n,C,D): the mean of the streams, the division when stable, LayerNorm. It is the input of both linear
 * layers. */
void atl_head_normalize(const atl_head_t *head, float *normed, const float *x, int64_t n_rows);

#endif
