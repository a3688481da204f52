#include "model/nn/embedding.h"

#include <string.h>

#include "common/status.h"

void atl_nn_embedding_forward(const atl_nn_embedding_t *layer, float *y, const int32_t *ids, int64_t n,
                              atl_nn_embedding_saved_t *saved) {
  if (saved != NULL) *saved = (atl_nn_embedding_saved_t){.ids = ids, .n = n};
  for (int64_t i = 0; i < n; i++) {
    ATL_ASSERT(ids[i] >= 0 && ids[i] < layer->n_ids);
    memcpy(y + i * layer->width, layer->weight + ids[i] * layer->width, (size_t)layer->width * sizeof *y);
  }
}
