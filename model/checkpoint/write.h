/* Write: writes a model directory (docs/formats.md) file by file in a folder OUT.tmp.PID, which one rename at the end
 * turns into OUT. The directory is thus complete or absent. The digest of model.json identifies the model, so
 * model.json contains neither time nor paths.
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

/* Creates the folder. INPUT: the name is not UTF-8 text, or the path is too long; IO. Borrows `out` until the end.
 * Caller calls atl_write_end, also after a failure. */
atl_status_t atl_write_start(const char *out, const char *name, atl_write_t *write);
/* Sets PART.KEY of model.json, or PART itself when key is NULL. MEMORY when value is NULL. Takes value. */
atl_status_t atl_write_set(atl_write_t *write, const char *part, const char *key, json_t *value);
/* Writes PART.safetensors and sets the part's file name and digest. tensors[i] belongs to list->items[i]. Matrices are
 * stored as `storage` and all other tensors as F32; with ATL_N_DTYPES every tensor keeps its dtype. `where` names the
 * source in messages. INPUT: a weight exceeds the range of f16; MEMORY, IO. Borrows. */
atl_status_t atl_write_tensors(atl_write_t *write, atl_part_t part, const char *where, const atl_tensor_t *tensors,
                               const atl_table_list_t *list, atl_dtype_t storage);
/* Copies a tokenizer as `part`, "tokenizer" or "clip_tokenizer", and sets its file name and digest. INPUT, IO.
 * Borrows. */
atl_status_t atl_write_tokenizer(atl_write_t *write, const char *part, const char *path);
/* If status is OK, writes model.json and renames the folder to OUT, replacing an existing model there. If status is an
 * error, or this fails, removes the folder and returns the first error with its message. Takes `write`. */
atl_status_t atl_write_end(atl_write_t *write, atl_status_t status);

/* Checks that a tokenizer opens and has at most n_known ids, the text ids of its network. INPUT. */
atl_status_t atl_write_check_tokenizer(const char *path, const char *network, int32_t n_known);

#endif
