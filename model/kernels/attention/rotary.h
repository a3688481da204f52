/* Rotary positions (docs/model.md): rotates the first R channels of a head, in pairs (0,1), (2,3), ..., by the angles
 * that the checkpoint saves as `transformer.pos_emb` (1,N+1,R). The angles are never recomputed, because upstream's
 * formula changed.
 *
 *     atl_rotary_init(&rotary, angles, n_positions, E, &arena);
 *     atl_rotary_apply(&rotary, q_h, position, 1 / sqrt(E));
 */
#ifndef ATL_MODEL_KERNELS_ATTENTION_ROTARY_H
#define ATL_MODEL_KERNELS_ATTENTION_ROTARY_H

#include "common/arena.h"

typedef struct {
  int32_t head_size;          /* E */
  const float *cosine, *sine; /* (n_positions,E): factors of a channel and of its partner; NULL: no rotation */
} atl_rotary_t;

/* R for heads of E channels: three blocks of (E/3)/2 pairs each. */
int32_t atl_rotary_width(int32_t head_size);
/* Bytes that init takes from the arena. */
size_t atl_rotary_bytes(int32_t n_positions, int32_t head_size);
/* Computes the factors of angles(n_positions,R), in which each angle stands twice in a row. angles is read during the
 * call only; NULL: nothing is rotated. MEMORY. The arena owns the factors. */
atl_status_t atl_rotary_init(atl_rotary_t *rotary, const float *angles, int32_t n_positions, int32_t head_size,
                             atl_arena_t *arena);
/* x(E) <- scale * x rotated for `position`, in place. */
void atl_rotary_apply(const atl_rotary_t *rotary, float *x, int32_t position, float scale);

#endif
