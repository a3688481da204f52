/* Tower: the residual attention blocks of the text encoder and of the vision transformer.
 *
 *     x += out(attention(ln_1(x)));  x += down(quick_gelu(up(ln_2(x))))
 *
 * Training: run will take memory for what each block saves: x before each branch, normed, qkv, attended and hidden, and
 * what the layers of model/nn record.
 */
#ifndef ATL_MODEL_CLIP_TOWER_H
#define ATL_MODEL_CLIP_TOWER_H

#include "model/clip/source.h"

typedef struct {
  int32_t width, n_heads, n_layers;
  int32_t n_positions; /* of the longest sequence */
  int32_t n_sequences; /* at most, in one call */
  bool is_causal;
} atl_clip_tower_spec_t;

typedef struct atl_clip_tower atl_clip_tower_t;

/* blocks(spec->n_layers). INPUT, MEMORY. Borrows the file, which must outlive the tower. Caller owns. */
atl_status_t atl_clip_tower_new(const atl_clip_source_t *source, const atl_clip_block_tensors_t *blocks,
                                const atl_clip_tower_spec_t *spec, atl_clip_tower_t **tower);
void atl_clip_tower_destroy(atl_clip_tower_t **tower);
/* Applies all blocks to x(n_sequences,n_positions,W) in place. Only position `wanted` of each sequence is a result;
 * other positions are undefined. */
void atl_clip_tower_run(atl_clip_tower_t *tower, float *x, int32_t n_sequences, int32_t n_positions, int32_t wanted);
size_t atl_clip_tower_bytes(const atl_clip_tower_t *tower); /* bytes allocated */

#endif
