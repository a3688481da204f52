/* Rotary positions (docs/model.md): rotates the first R channels of a head, pairs (0,1), (2,3), ..., by the angles
 * that the checkpoint saves as `transformer.pos_emb` (1,N+1,R). The angles are never recomputed: upstream's formula
 * changed.
 *
 *     atl_rotary_init(&rotary, angles, n_positions, E, &arena);
 *     atl_rotary_apply(&rotary, q_h, position, 1 / sqrt(E));
 */
#ifndef ATL_MODEL_KERNELS_ATTENTION_ROTARY_H
#define ATL_MODEL_KERNELS_ATTENTION_ROTARY_H

#include "common/arena.h"

typedef struct {
  int32_t head_size;          /* E */
  const float *cosine, *sine; /* (n_positions,E): the factors of a channel and of the other of its pair; NULL: none */
} atl_rotary_t;

/* R for heads of E channels: three blocks of pairs, (E/3)/2 pairs each. */
int32_t atl_rotary_width(int32_t head_size);
size_t atl_rotary_bytes(int32_t n_positions, int32_t head_size);
/* MEMORY. angles(n_positions,R), each angle twice in a row; read during the call only. NULL: nothing is rotated. The
 * arena owns. */
atl_status_t atl_rotary_init(atl_rotary_t *rotary, const float *angles, int32_t n_positions, int32_t head_size,
                             atl_arena_t *arena);
/* x(E) at `position`, in place, and then times `scale`. */
void atl_rotary_apply(const atl_rotary_t *rotary, float *x, int32_t position, float scale);

#endif
