/* Bytes: formats amounts of memory for people. common/options parses them. */
#ifndef ATL_COMMON_BYTES_H
#define ATL_COMMON_BYTES_H

#include <stdint.h>

/* Writes "512 bytes", "1.5 KiB", ... up to TiB into text; returns text. */
const char *atl_bytes_format(int64_t n_bytes, char text[32]);

#endif
