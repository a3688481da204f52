/* Embedding: rows of a table by id.
 *
 * Training: forward with saved notes the ids. Backward adds dy's rows to the table's gradient in increasing order of
 * (id, sample, position), so that the sums do not depend on threads.
 */
#ifndef ATL_MODEL_NN_EMBEDDING_H
#define ATL_MODEL_NN_EMBEDDING_H

#include <stdint.h>

typedef struct {
  const float *weight; /* (n_ids,width); borrowed */
  int64_t n_ids, width;
} atl_nn_embedding_t;

typedef struct {
  const int32_t *ids; /* (n): noted by forward; the caller keeps them until backward */
  int64_t n;
} atl_nn_embedding_saved_t;

/* y(n,width) <- the rows of ids(n), each in [0,n_ids): a caller's bug otherwise. */
void atl_nn_embedding_forward(const atl_nn_embedding_t *layer, float *y, const int32_t *ids, int64_t n,
                              atl_nn_embedding_saved_t *saved);

#endif
