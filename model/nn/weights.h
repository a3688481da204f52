/* Weights: finds the tensors of a network's table in a file and points the parameters of its weights struct at them. A
 * missing or misshapen tensor is reported by name, with both shapes. NaN and infinity are refused.
 *
 *     atl_transformer_tensors_t tensors = {0};
 *     atl_weights_t weights;
 *     ATL_TRY(atl_weights_open(&atl_transformer_table, &config, file, &tensors, &weights));
 *     ATL_TRY(ATL_WEIGHTS_BIND(&weights, &arena, tensors.layers[0].attention));   -- any part of the struct
 *     tensors.layers[0].attention.vectors.norm_weight.value ...
 *     atl_weights_close(&weights);                                                -- also after a failure
 *
 * fp32 tensors that are 4-byte aligned are bound as views into the mapped file; others are converted into the arena.
 * Each call first releases the file's pages from this process's memory, so that a whole file is never resident beside
 * the weights packed from it. Views stay valid; their pages are read again on use.
 */
#ifndef ATL_MODEL_NN_WEIGHTS_H
#define ATL_MODEL_NN_WEIGHTS_H

#include "common/safetensors.h"
#include "model/nn/table.h"

typedef struct {
  const atl_table_t *table;
  const atl_safetensors_t *file; /* borrowed */
  void *tensors;                 /* the network's weights struct; borrowed */
  atl_table_list_t list;
  atl_arena_t arrays; /* owns the arrays of the struct */
} atl_weights_t;

/* Allocates the arrays of `tensors`, a weights struct that is all zero. MEMORY. Borrows the file and the struct until
 * close. Caller closes, also after a failure. */
atl_status_t atl_weights_open(const atl_table_t *table, const void *config, const atl_safetensors_t *file,
                              void *tensors, atl_weights_t *weights);
/* Binds each tensor whose parameter lies in the n_bytes at `part`: the struct, an array item, or a member of either.
 * The arena owns converted copies. INPUT when a tensor is missing, misshapen, not floating-point or not finite;
 * MEMORY. */
atl_status_t atl_weights_bind(const atl_weights_t *weights, atl_arena_t *arena, const void *part, size_t n_bytes);
#define ATL_WEIGHTS_BIND(weights, arena, part) atl_weights_bind(weights, arena, &(part), sizeof(part))
/* The name of the tensor that is bound to a parameter, for messages; "" when none is. Borrowed. */
const char *atl_weights_name_of(const atl_weights_t *weights, const atl_parameter_t *parameter);
/* Frees the list and the arrays. Bound data stays valid: the file or the arena owns it. */
void atl_weights_close(atl_weights_t *weights);

#endif
