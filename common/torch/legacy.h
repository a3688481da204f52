/* Torchlegacy: what torch.save wrote before 1.6 and writes on request since: five pickles in a row (a magic number, the
 * protocol, facts about the machine, the object, the list of storage keys), then each storage: a count (8 bytes,
 * little-endian) and its items.
 *
 *     if (atl_torchlegacy_is_one(bytes, n_bytes)) ATL_TRY(atl_torchlegacy_load(bytes, n_bytes, &tensors, &root));
 */
#ifndef ATL_COMMON_TORCH_LEGACY_H
#define ATL_COMMON_TORCH_LEGACY_H

#include "common/torch/tensor.h"

/* Does it start with the magic number's pickle? */
bool atl_torchlegacy_is_one(const unsigned char *bytes, size_t n_bytes);
/* Runs the pickles and finds each storage's bytes: views into `bytes`, which outlive the tensors. INPUT, UNSUPPORTED as
 * atl_pickle_load. Values are borrowed from tensors->pool. */
atl_status_t atl_torchlegacy_load(const unsigned char *bytes, size_t n_bytes, atl_torchtensors_t *tensors,
                                  atl_value_t **root);

#endif
