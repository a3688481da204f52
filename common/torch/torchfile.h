/* Torchfile: reads PyTorch files without Python: zip archives with a pickle (torch.save since 1.6), legacy files and
 * TorchScript archives. The pickle interpreter (common/torch/pickle) builds data and never calls anything.
 *
 *     atl_torchfile_t *file;
 *     ATL_TRY(atl_torchfile_open("dalle.pt", &file));
 *     const atl_value_t *hparams = atl_value_find(atl_torchfile_root(file), "hparams");
 *     const atl_value_t *weights = atl_value_find(atl_torchfile_root(file), "weights");
 *     for (size_t i = 0; i < weights->n_items; i++) ... weights->keys[i]->text, weights->items[i]->tensor
 *     atl_torchfile_destroy(&file);
 *
 * A tensor that is contiguous in its storage is a view into the mapped file, any other a row-major copy owned by the
 * file. The root of a TorchScript archive is its module: an object whose attributes are parameters, buffers and
 * submodules. Values (common/torch/value.h) have no cycles and at most ATL_VALUE_MAX_DEPTH levels, but the same value
 * may appear in many places, so a walk over all of them must bound its steps. All local.
 */
#ifndef ATL_COMMON_TORCH_TORCHFILE_H
#define ATL_COMMON_TORCH_TORCHFILE_H

#include <stdbool.h>

#include "common/tensor.h"
#include "common/torch/value.h"

typedef struct atl_torchfile atl_torchfile_t;

/* Do the bytes begin like a file of torch.save? */
bool atl_torchfile_is_one(const void *bytes, size_t n_bytes);
/* INPUT when the file is missing, truncated or corrupt; UNSUPPORTED when the pickle would run code (the message names
 * the function). Caller owns. */
atl_status_t atl_torchfile_open(const char *path, atl_torchfile_t **file);
/* The same from n_bytes in memory, borrowed until destroy; `where` names them in messages. */
atl_status_t atl_torchfile_open_bytes(const void *bytes, size_t n_bytes, const char *where, atl_torchfile_t **file);
void atl_torchfile_destroy(atl_torchfile_t **file);
/* Borrowed from the file. */
const atl_value_t *atl_torchfile_root(const atl_torchfile_t *file);

/* Lists all tensors below a value. Names are joined by '.': {"a": {"b": t}} gives "a.b"; items of lists count from 0.
 * The _parameters, _buffers and _modules of a pickled module are left out of names, so they equal those of its
 * state_dict(). A storage with two names is listed twice. Borrowed from the file. INPUT when tensors are nested deeper
 * than 64 levels, when a name is longer than 1023 bytes, contains a NUL or occurs twice, or when shared values unfold
 * into far more than the file holds. */
typedef struct {
  const atl_tensor_t *tensors;
  size_t n_tensors;
} atl_tensor_list_t;
atl_status_t atl_torchfile_list_tensors(atl_torchfile_t *file, const atl_value_t *value, atl_tensor_list_t *list);

#endif
