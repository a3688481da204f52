/* safetensors: the file format of Hugging Face's safetensors 0.x: u64 little-endian header size, JSON header of
 * {name: {dtype, shape, data_offsets}} with an optional "__metadata__", then the raw bytes.
 *
 * The file is mapped; tensors are views into it, in file order. Every offset, size, shape product and overlap is
 * checked before a view is handed out.
 *
 *     atl_safetensors_t *file;
 *     ATL_TRY(atl_safetensors_open("vae.safetensors", &file));
 *     const atl_tensor_t *codebook = atl_safetensors_find(file, "codebook.weight");   -- NULL when there is none
 *     atl_safetensors_destroy(&file);
 */
#ifndef ATL_COMMON_SAFETENSORS_H
#define ATL_COMMON_SAFETENSORS_H

#include "common/json.h"
#include "common/tensor.h"

typedef struct atl_safetensors atl_safetensors_t;

/* Do n bytes begin as a safetensors file does: a length that a file can have, then '{'? Text has letters in the length. */
bool atl_safetensors_is_one(const void *bytes, size_t n_bytes);
/* INPUT when the file is missing, truncated, or any entry is malformed. Caller owns. */
atl_status_t atl_safetensors_open(const char *path, atl_safetensors_t **file);
/* The same from n bytes in memory that outlive the object; `where` names them in messages. */
atl_status_t atl_safetensors_open_bytes(const void *bytes, size_t n_bytes, const char *where, atl_safetensors_t **file);
/* Gives the memory of what was read back to the system, which keeps the file; what is read again comes from there. */
void atl_safetensors_release(const atl_safetensors_t *file);
void atl_safetensors_destroy(atl_safetensors_t **file);

const char *atl_safetensors_path(const atl_safetensors_t *file);
size_t atl_safetensors_n_tensors(const atl_safetensors_t *file);
const atl_tensor_t *atl_safetensors_get(const atl_safetensors_t *file, size_t i_tensor);
const atl_tensor_t *atl_safetensors_find(const atl_safetensors_t *file,
                                         const char *name);                           /* hashed; NULL when absent */
const char *atl_safetensors_metadata(const atl_safetensors_t *file, const char *key); /* NULL when absent */
const json_t *atl_safetensors_all_metadata(const atl_safetensors_t *file); /* object of texts; NULL when absent */

/* Writes tensors in the given order, atomically: the data begins 64-byte aligned and has no gaps, as the format's own
 * library asks. metadata: n_metadata pairs key, value. Borrows. */
atl_status_t atl_safetensors_save(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                  const char *const (*metadata)[2], size_t n_metadata);
/* The same with tensor i stored as stored[i] (a float dtype for float tensors: F32, F16, BF16, or its own), converted
 * piece by piece. */
atl_status_t atl_safetensors_save_as(const char *path, const atl_tensor_t *tensors, const atl_dtype_t *stored,
                                     size_t n_tensors, const char *const (*metadata)[2], size_t n_metadata);

#endif
