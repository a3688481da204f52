/* Safetensors: reads and writes the file format of Hugging Face's safetensors 0.x: the header size (u64,
 * little-endian), a JSON header {name: {dtype, shape, data_offsets}} with an optional "__metadata__", then the tensors'
 * bytes.
 *
 * A file is mapped; its tensors are views into the map, in file order. Opening checks every offset, size, shape product
 * and overlap, so a view never reaches outside the file. All local.
 *
 *     atl_safetensors_t *file;
 *     ATL_TRY(atl_safetensors_open("vae.safetensors", &file));
 *     const atl_tensor_t *codebook = atl_safetensors_find(file, "codebook.weight");   NULL: absent
 *     atl_safetensors_destroy(&file);
 */
#ifndef ATL_COMMON_SAFETENSORS_H
#define ATL_COMMON_SAFETENSORS_H

#include "common/json.h"
#include "common/tensor.h"

typedef struct atl_safetensors atl_safetensors_t;

/* Do the bytes begin like a safetensors file: a header size below 2^48, then '{'? Text has letters in those bytes. */
bool atl_safetensors_is_one(const void *bytes, size_t n_bytes);
/* INPUT when the file is missing or truncated or an entry is malformed; UNSUPPORTED for other dtypes. Caller owns. */
atl_status_t atl_safetensors_open(const char *path, atl_safetensors_t **file);
/* The same from n_bytes in memory, borrowed until destroy; `where` names them in messages. */
atl_status_t atl_safetensors_open_bytes(const void *bytes, size_t n_bytes, const char *where, atl_safetensors_t **file);
/* Drops the pages read so far from this process; a later read loads them from the file again. */
void atl_safetensors_release(const atl_safetensors_t *file);
void atl_safetensors_destroy(atl_safetensors_t **file);

const char *atl_safetensors_path(const atl_safetensors_t *file);
size_t atl_safetensors_n_tensors(const atl_safetensors_t *file);
/* The tensor at an index (asserted), or of a name (hashed; NULL: absent). Borrowed from the file. */
const atl_tensor_t *atl_safetensors_get(const atl_safetensors_t *file, size_t i_tensor);
const atl_tensor_t *atl_safetensors_find(const atl_safetensors_t *file, const char *name);
/* The text of a key of "__metadata__", and the whole object of strings; NULL: absent. Borrowed from the file. */
const char *atl_safetensors_metadata(const atl_safetensors_t *file, const char *key);
const json_t *atl_safetensors_all_metadata(const atl_safetensors_t *file);

/* Writes tensors in the given order, atomically. The data begins 64-byte aligned and has no gaps, as the reference
 * library requires. metadata: n_metadata pairs (key, value). IO; INPUT when a name is not UTF-8; INTERNAL when two
 * tensors have the same name. Borrows. */
atl_status_t atl_safetensors_save(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                  const char *const (*metadata)[2], size_t n_metadata);
/* The same with tensor i converted to stored[i]: its own dtype or, for a float tensor, F32, F16 or BF16. */
atl_status_t atl_safetensors_save_as(const char *path, const atl_tensor_t *tensors, const atl_dtype_t *stored,
                                     size_t n_tensors, const char *const (*metadata)[2], size_t n_metadata);

#endif
