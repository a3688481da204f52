/* Layer: two residual branches, attention and feed-forward, and their key/value cache (docs/model.md).
 *
 *     branch(x) = scale * norm_out( out( core( in( shift( norm(x) ) ) ) ) )
 *     core: self-attention over the cache, or GEGLU, which is fused into `in`
 *     plain:      x  += attention(x);   x  += feed_forward(x)
 *     reversible: x1 += attention(x2);  x2 += feed_forward(x1)
 *
 * norm_out exists only with sandwich_norm, shift only with shift_tokens. Layers may share the linear layers of a
 * branch; each has its own norms, scale, shift state and cache.
 *
 * Training: forward will take the memory for what each branch saves: its input x, unless the model is reversible and x
 * is recomputed from the output; normed, qkv and attended, or normed and hidden; and what the layers of model/nn
 * record.
 */
#ifndef ATL_MODEL_TRANSFORMER_LAYER_H
#define ATL_MODEL_TRANSFORMER_LAYER_H

#include "model/nn/linear.h"
#include "model/nn/norm.h"
#include "model/transformer/attention.h"
#include "model/transformer/part.h"
#include "model/transformer/shift.h"
#include "model/transformer/tensors.h"

typedef struct {
  atl_nn_norm_t norm;     /* fn.norm (D) */
  atl_nn_norm_t norm_out; /* fn.norm_out (D); no weights without sandwich_norm */
  const float *scale;     /* scale (1,1,D): LayerScale */
  atl_nn_linear_t in;     /* to_qkv (3*H*E,D), or net.0 (8D,D) with GEGLU */
  atl_nn_linear_t out;    /* to_out.0 (D,H*E), or net.3 (D,4D) */
  bool owns_linears;      /* false: `in` and `out` belong to another layer of the part */
  atl_shift_t shift;      /* all zero without shift_tokens */
} atl_branch_t;

typedef struct {
  atl_branch_t attention, feed_forward;
  atl_kvcache_t cache;
} atl_layer_t;

/* Scratch that the layers of a part use one after the other. */
typedef struct {
  const atl_transformer_config_t *config;
  int64_t row_width; /* C*D floats from one row of x to the next */
  float *normed;     /* (max_rows,D) */
  float *qkv;        /* (max_rows,3*H*E) after attention's `in` */
  float *attended;   /* (max_rows,H*E) */
  float *hidden;     /* (max_rows,4D) after feed-forward's `in`; shares memory with qkv */
  float *projected;  /* (max_rows,D) after `out`, before norm_out; NULL without sandwich_norm */
  atl_attention_workspace_t attention;
  atl_rows_t rows;
  atl_transformer_progress_t progress; /* the callback of the running call, or NULL */
  void *context;                       /* its argument */
} atl_layer_workspace_t;

/* Bytes of one layer: its vectors, its linear layers when it owns them, its cache and shift state. Pure. */
void atl_layer_get_bytes(const atl_transformer_config_t *config, const atl_transformer_part_t *part, int32_t i_layer,
                         bool owns_attention, bool owns_feed_forward, atl_transformer_bytes_t *bytes);
/* Loads the weights of layer i_layer of a part. A branch shares the linear layers of attention_owner or
 * feed_forward_owner when that is not NULL; the owner must outlive the layer. INPUT, MEMORY. The arena owns everything
 * but the linear layers. Caller clears, also after a failure. */
atl_status_t atl_layer_init(atl_layer_t *layer, const atl_transformer_source_t *source,
                            const atl_transformer_part_t *part, int32_t i_layer, const atl_layer_t *attention_owner,
                            const atl_layer_t *feed_forward_owner, atl_arena_t *arena);
/* Allocates the cache and the shift state. Call it once the weights of all layers are loaded: loading needs temporary
 * memory, which the caches can then use. MEMORY. The arena owns. */
atl_status_t atl_layer_init_state(atl_layer_t *layer, const atl_transformer_config_t *config,
                                  const atl_transformer_part_t *part, int32_t i_layer, atl_arena_t *arena);
void atl_layer_clear(atl_layer_t *layer);
/* Applies the layer to x(n,C,D) in place, for the rows set in work->rows. */
void atl_layer_forward(atl_layer_t *layer, atl_layer_workspace_t *work, float *x);
/* Copies the cache and shift state of sample `from`, which has seen n_tokens image tokens, to sample `to`. */
void atl_layer_copy(atl_layer_t *layer, int32_t to, int32_t from, int32_t n_tokens);

#endif
