/* UTF-8: characters one at a time, whether bytes are well-formed, and texts made safe to print (Unicode 15, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF). */
#ifndef ATL_COMMON_UTF8_H
#define ATL_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at the start of n bytes into *code; returns its length, 0 when they do not start with one. */
size_t atl_utf8_get(const char *text, size_t n, uint32_t *code);
/* Bytes of well-formed text at the start; n when all of it is. */
size_t atl_utf8_find_error(const char *text, size_t n);
/* Makes a NUL-terminated text safe to print on a terminal, in place: control characters (C0, DEL, C1), those that turn the
 * direction of text, line and paragraph separators and bytes that are no UTF-8 become '?', each. Newlines stay when asked. */
void atl_utf8_clean(char *text, bool keeps_newlines);

#endif
