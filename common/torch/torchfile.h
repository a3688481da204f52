/* Torchfile: what PyTorch saves, read without Python: zip archives with a pickle (torch.save since 1.6), legacy non-zip
 * files, and TorchScript archives. The pickle interpreter (common/torch/pickle) builds data and never calls anything.
 *
 *     atl_torchfile_t *file;
 *     ATL_TRY(atl_torchfile_open("dalle.pt", &file));
 *     const atl_value_t *hparams = atl_value_find(atl_torchfile_root(file), "hparams");
 *     const atl_value_t *weights = atl_value_find(atl_torchfile_root(file), "weights");
 *     for (size_t i = 0; i < weights->n_items; i++) ... weights->keys[i]->text, weights->items[i]->tensor
 *     atl_torchfile_destroy(&file);
 *
 * Tensors are contiguous row-major views into the mapped file where their storage allows it, else copies owned by the
 * file. A TorchScript archive's root is its module: an object whose attributes are parameters, buffers and submodules.
 * Values (common/torch/value.h) never contain themselves and are at most ATL_VALUE_MAX_DEPTH deep; the same value may
 * appear in many places, so that a walk over all of them needs a bound on its steps.
 */
#ifndef ATL_COMMON_TORCH_TORCHFILE_H
#define ATL_COMMON_TORCH_TORCHFILE_H

#include <stdbool.h>

#include "common/tensor.h"
#include "common/torch/value.h"

typedef struct atl_torchfile atl_torchfile_t;

/* Is this what torch saves (by its first bytes)? */
bool atl_torchfile_is_one(const void *bytes, size_t n_bytes);
/* INPUT: missing, truncated, corrupt; UNSUPPORTED: a pickle that asks for code to be run, named. Caller owns. */
atl_status_t atl_torchfile_open(const char *path, atl_torchfile_t **file);
/* The same from n bytes in memory that outlive the object; `where` names them in messages. */
atl_status_t atl_torchfile_open_bytes(const void *bytes, size_t n_bytes, const char *where, atl_torchfile_t **file);
void atl_torchfile_destroy(atl_torchfile_t **file);
const atl_value_t *atl_torchfile_root(const atl_torchfile_t *file);

/* Every tensor below a value, names joined by '.': {"a": {"b": t}} gives "a.b", items of lists count from 0. The
 * _parameters, _buffers and _modules of a pickled module leave no trace: names are those of its state_dict(). Borrowed
 * from the file; the same storage under two names comes twice. INPUT when nested deeper than 64, when a name is longer
 * than 1023 bytes, is no text or comes twice, or when shared parts unfold into far more than the file holds. */
typedef struct {
  const atl_tensor_t *tensors;
  size_t n_tensors;
} atl_tensor_list_t;
atl_status_t atl_torchfile_list_tensors(atl_torchfile_t *file, const atl_value_t *value, atl_tensor_list_t *list);

#endif
