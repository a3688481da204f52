/* Bytes: amounts of memory as text for people. common/options reads them. */
#ifndef ATL_COMMON_BYTES_H
#define ATL_COMMON_BYTES_H

#include <stdint.h>

/* 512 -> "512 bytes", 1536 -> "1.5 KiB", up to TiB, into text; returns text. */
const char *atl_bytes_format(int64_t n_bytes, char text[32]);

#endif
