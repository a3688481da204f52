/* JSON: jansson, with failures as atl_status_t that name the file, the field, what was expected and what was found.
 *
 *     json_t *root;
 *     ATL_TRY(atl_json_load(path, &root));
 *     int64_t width;
 *     atl_status_t status = atl_json_get_int(root, path, "dim", 1, 65536, &width);
 *     json_decref(root);
 */
#ifndef ATL_COMMON_JSON_H
#define ATL_COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

/* Reads a whole file (at most 64 MiB, nesting bounded by jansson). Caller owns *root (json_decref). */
atl_status_t atl_json_load(const char *path, json_t **root);
/* Parses n bytes; `where` names them in messages. INPUT when jansson needs more than 48 bytes of memory a byte, or than
 * 20 a byte and 64 MiB. Caller owns. */
atl_status_t atl_json_parse(const char *text, size_t n, const char *where, json_t **root);
/* Writes atomically (temporary, fsync, rename), indented, ending in a newline. Borrows. */
atl_status_t atl_json_save(const json_t *root, const char *path);

/* A field of an object; INPUT when it is missing, of another type or out of range. Texts are borrowed from the object.
 */
atl_status_t atl_json_get_int(const json_t *object, const char *where, const char *name, int64_t min, int64_t max,
                              int64_t *value);
atl_status_t atl_json_get_real(const json_t *object, const char *where, const char *name, double *value);
atl_status_t atl_json_get_bool(const json_t *object, const char *where, const char *name, bool *value);
atl_status_t atl_json_get_text(const json_t *object, const char *where, const char *name, const char **value);

#endif
