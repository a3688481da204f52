/* UTF-8: characters one at a time, and whether bytes are well-formed (Unicode 15, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF). */
#ifndef ATL_COMMON_UTF8_H
#define ATL_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at the start of n bytes into *code; returns its length, 0 when they do not start with one. */
size_t atl_utf8_get(const char *text, size_t n, uint32_t *code);
/* Bytes of well-formed text at the start; n when all of it is. */
size_t atl_utf8_find_error(const char *text, size_t n);

#endif
