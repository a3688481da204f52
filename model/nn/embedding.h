/* Embedding: looks up rows of a table by id.
 *
 * Training: forward with `saved` records the ids. Backward will add the rows of dy to the table's gradient in
 * increasing order of (id, sample, position), so that the sums do not depend on the number of threads.
 */
#ifndef ATL_MODEL_NN_EMBEDDING_H
#define ATL_MODEL_NN_EMBEDDING_H

#include <stdint.h>

typedef struct {
  const float *weight; /* (n_ids,width); borrowed */
  int64_t n_ids, width;
} atl_nn_embedding_t;

typedef struct {
  const int32_t *ids; /* (n); recorded by forward; the caller keeps them until backward */
  int64_t n;
} atl_nn_embedding_saved_t;

/* y(n,width) <- the table's rows ids(n). Asserts that each id is in [0,n_ids). */
void atl_nn_embedding_forward(const atl_nn_embedding_t *layer, float *y, const int32_t *ids, int64_t n,
                              atl_nn_embedding_saved_t *saved);

#endif
