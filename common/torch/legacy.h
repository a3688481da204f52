/* Torchlegacy: the format that torch.save wrote before 1.6, and still writes on request: five pickles (a magic number,
 * the protocol, properties of the machine, the object, the list of storage keys), then each storage as a count (8
 * bytes, little-endian) and its items.
 *
 *     if (atl_torchlegacy_is_one(bytes, n_bytes)) ATL_TRY(atl_torchlegacy_load(bytes, n_bytes, &tensors, &root));
 */
#ifndef ATL_COMMON_TORCH_LEGACY_H
#define ATL_COMMON_TORCH_LEGACY_H

#include "common/torch/tensor.h"

/* Do the bytes start with the pickle of the magic number? */
bool atl_torchlegacy_is_one(const unsigned char *bytes, size_t n_bytes);
/* Runs the pickles and sets the data of each storage to a view into `bytes`, which must outlive the tensors. INPUT and
 * UNSUPPORTED as atl_pickle_load. *root is borrowed from tensors->pool. */
atl_status_t atl_torchlegacy_load(const unsigned char *bytes, size_t n_bytes, atl_torchtensors_t *tensors,
                                  atl_value_t **root);

#endif
