/* Weights: binds a table of (checkpoint name, shape, address) to the tensors of a file in one loop, so that a missing
 * or misshapen tensor is reported by name, with both shapes, and NaN or Inf is refused.
 *
 *     const atl_binding_t table[] = {{"codebook.weight", 2, {n_tokens, width}, &vae->codebook}, ...};
 *     ATL_TRY(atl_binding_bind(file, &vae->arena, table, n));
 *
 * fp32 tensors that are 4-byte aligned are bound as views into the map; others are converted into the arena. Each call
 * first drops what earlier ones have read from memory: views stay good and are read again when they are used, and a
 * file is never held whole beside what is made of it.
 */
#ifndef ATL_MODEL_CHECKPOINT_BINDING_H
#define ATL_MODEL_CHECKPOINT_BINDING_H

#include "common/arena.h"
#include "common/safetensors.h"

typedef struct {
  const char *name;
  int n_dims;
  int64_t shape[4];
  const float **address; /* set to the fp32 numbers; borrowed from file or arena */
} atl_binding_t;

/* INPUT when a tensor is missing, misshapen, not a float or not finite. Borrows the file: it must outlive the weights.
 */
atl_status_t atl_binding_bind(const atl_safetensors_t *file, atl_arena_t *arena, const atl_binding_t *table, size_t n);

#endif
