/* Write: makes a model directory (docs/formats.md), file by file, in a folder OUT.tmp.PID that becomes OUT by one rename
 * at the end; so the directory is there whole or not at all. The digest of model.json stands for the model, so nothing
 * in it depends on time or place.
 *
 *     atl_write_t write;
 *     atl_status_t status = atl_write_start("mymodel", "my model", &write);
 *     if (status == ATL_OK) status = atl_write_tensors(&write, ATL_PART_VAE, "vae.pt", tensors, &list, ATL_BF16);
 *     if (status == ATL_OK) status = atl_write_set(&write, "vae", "config", config);
 *     status = atl_write_end(&write, status);
 */
#ifndef ATL_MODEL_CHECKPOINT_WRITE_H
#define ATL_MODEL_CHECKPOINT_WRITE_H

#include "model/checkpoint/parts.h"

enum { ATL_WRITE_PATH_BYTES = 4096 };

typedef struct {
  const char *out; /* borrowed */
  char folder[ATL_WRITE_PATH_BYTES];
  json_t *root; /* model.json */
} atl_write_t;

/* Makes the folder. INPUT: the name is not UTF-8 text, or the path is too long; IO. Borrows `out`. Caller ends, also
 * after a failure. */
atl_status_t atl_write_start(const char *out, const char *name, atl_write_t *write);
/* Sets model.json's PART.KEY, or its PART when key is NULL. MEMORY when value is NULL. Takes value. */
atl_status_t atl_write_set(atl_write_t *write, const char *part, const char *key, json_t *value);
/* Writes PART.safetensors and sets its file and digest. tensors[i] are those of list->items[i]; matrices are stored as
 * `storage`, or as they are for ATL_N_DTYPES; `where` they come from is for messages. INPUT: a weight that f16 cannot
 * hold; IO. Borrows. */
atl_status_t atl_write_tensors(atl_write_t *write, atl_part_t part, const char *where, const atl_tensor_t *tensors,
                               const atl_table_list_t *list, atl_dtype_t storage);
/* Copies a tokenizer as `part`, "tokenizer" or "clip_tokenizer", and sets its file and digest. INPUT, IO. Borrows. */
atl_status_t atl_write_tokenizer(atl_write_t *write, const char *part, const char *path);
/* With OK: writes model.json, and the folder takes the place of what was at OUT, if anything. Otherwise, or when that
 * fails: removes what was written; the failure stays the one that is told. Takes. */
atl_status_t atl_write_end(atl_write_t *write, atl_status_t status);

/* A tokenizer must open and not give ids that its network has no embedding for: INPUT. */
atl_status_t atl_write_check_tokenizer(const char *path, const char *network, int32_t n_known);

#endif
