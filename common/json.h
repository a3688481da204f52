/* JSON: jansson with our errors. Messages name the file, the field, what was expected and what was found.
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

/* Reads a file of at most 64 MiB; jansson bounds the nesting. INPUT when it is missing, too large or not JSON, or has
 * duplicate keys. Caller owns *root (json_decref). */
atl_status_t atl_json_load(const char *path, json_t **root);
/* Parses n bytes; `where` names them in messages. INPUT also when jansson would allocate more than
 * min(64 KiB + 48 n, 64 MiB + 20 n) bytes. Borrows the text; caller owns *root. */
atl_status_t atl_json_parse(const char *text, size_t n, const char *where, json_t **root);
/* Writes the value atomically (common/file.h), indented, with a final newline. IO. Borrows. */
atl_status_t atl_json_save(const json_t *root, const char *path);

/* Reads a field of an object. INPUT when it is missing, has another type or is out of range. *value of a text is
 * borrowed from the object. */
atl_status_t atl_json_get_int(const json_t *object, const char *where, const char *name, int64_t min, int64_t max,
                              int64_t *value);
atl_status_t atl_json_get_real(const json_t *object, const char *where, const char *name, double *value);
atl_status_t atl_json_get_bool(const json_t *object, const char *where, const char *name, bool *value);
atl_status_t atl_json_get_text(const json_t *object, const char *where, const char *name, const char **value);

#endif
