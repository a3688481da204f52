/* Torchfile: what PyTorch saves, read without Python: zip archives with a pickle (torch.save since 1.6), legacy non-zip
 * files, and TorchScript archives. The pickle interpreter (common/pickle) builds data and never calls anything.
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
 */
#ifndef ATL_COMMON_TORCHFILE_H
#define ATL_COMMON_TORCHFILE_H

#include <stdbool.h>

#include "common/tensor.h"

typedef enum {
  ATL_VALUE_NONE, ATL_VALUE_BOOL, ATL_VALUE_INT, ATL_VALUE_REAL, ATL_VALUE_TEXT, ATL_VALUE_BYTES,
  ATL_VALUE_LIST, ATL_VALUE_TUPLE, ATL_VALUE_SET, /* items */
  ATL_VALUE_DICT,                                 /* keys and items; OrderedDict too */
  ATL_VALUE_OBJECT,                               /* of a class we do not know: keys and items are its attributes */
  ATL_VALUE_TENSOR                                /* tensors and parameters */
} atl_value_kind_t;

typedef struct atl_value atl_value_t;
struct atl_value {
  atl_value_kind_t kind;
  bool boolean;
  int64_t integer;
  double real;
  const char *text; /* TEXT and BYTES: NUL added; OBJECT: its class, "module.Name" */
  size_t n_bytes;   /* of TEXT and BYTES, without the NUL */
  const atl_value_t *const *keys, *const *items; /* n_items of each; keys of DICT and OBJECT only */
  size_t n_items;
  atl_tensor_t tensor; /* its name is NULL: the key names it */
};

typedef struct atl_torchfile atl_torchfile_t;

/* Is this what torch saves (by its first bytes)? */
bool atl_torchfile_is_one(const void *bytes, size_t n_bytes);
/* INPUT: missing, truncated, corrupt; UNSUPPORTED: a pickle that asks for code to be run, named. Caller owns. */
atl_status_t atl_torchfile_open(const char *path, atl_torchfile_t **file);
/* The same from n bytes in memory that outlive the object; `where` names them in messages. */
atl_status_t atl_torchfile_open_bytes(const void *bytes, size_t n_bytes, const char *where, atl_torchfile_t **file);
void atl_torchfile_destroy(atl_torchfile_t **file);
const atl_value_t *atl_torchfile_root(const atl_torchfile_t *file);

/* The item under a text key of a DICT or OBJECT; NULL when there is none or value is NULL or of another kind. */
const atl_value_t *atl_value_find(const atl_value_t *value, const char *key);

/* Every tensor below a value, names joined by '.': {"a": {"b": t}} gives "a.b". Borrowed from the file; the same storage
 * under two names comes twice. INPUT when nested deeper than 64. */
typedef struct {
  const atl_tensor_t *tensors;
  size_t n_tensors;
} atl_tensor_list_t;
atl_status_t atl_torchfile_list_tensors(atl_torchfile_t *file, const atl_value_t *value, atl_tensor_list_t *list);

#endif
