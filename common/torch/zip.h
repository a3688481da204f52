/* Torchzip: the zip archive of torch.save and TorchScript: one folder with data.pkl and one member per storage. Stored
 * members are views into the given bytes; compressed ones are inflated once, into the arena.
 *
 *     ATL_TRY(atl_torchzip_open(bytes, n_bytes, "dalle.pt", &arena, &zip));
 *     ATL_TRY(atl_torchzip_get(zip, "data.pkl", &pickle, &pickle_bytes));
 *     atl_torchzip_destroy(&zip);                    the members stay valid: they live in the bytes and the arena
 */
#ifndef ATL_COMMON_TORCH_ZIP_H
#define ATL_COMMON_TORCH_ZIP_H

#include <stdbool.h>

#include "common/arena.h"

typedef struct atl_torchzip atl_torchzip_t;

/* INPUT when it is not a zip archive, is truncated, or does not hold exactly one data.pkl. Borrows all until destroy;
 * caller owns *zip. */
atl_status_t atl_torchzip_open(const unsigned char *bytes, size_t n_bytes, const char *where, atl_arena_t *arena,
                               atl_torchzip_t **zip);
void atl_torchzip_destroy(atl_torchzip_t **zip);

/* Does the archive's folder have a member of this name? */
bool atl_torchzip_has(const atl_torchzip_t *zip, const char *name);
/* The bytes of a member, verified against its checksum. INPUT when it is missing, outside the file or corrupt. Borrowed
 * from the archive's bytes or the arena. */
atl_status_t atl_torchzip_get(atl_torchzip_t *zip, const char *name, const unsigned char **bytes, size_t *n_bytes);

#endif
