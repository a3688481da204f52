/* UTF-8: decodes and validates text, and makes it safe to print. Well-formed means table 3-7 of Unicode 15: no overlong
 * forms, no surrogates, nothing above U+10FFFF. */
#ifndef ATL_COMMON_UTF8_H
#define ATL_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the character at the start of n bytes into *code; returns its length in bytes, or 0 if it is malformed. */
size_t atl_utf8_get(const char *text, size_t n, uint32_t *code);
/* Number of bytes before the first malformed sequence; n if there is none. */
size_t atl_utf8_find_error(const char *text, size_t n);
/* Makes a NUL-terminated text safe to print on a terminal, in place. Each control character (C0, DEL, C1), direction
 * override, line or paragraph separator and malformed byte becomes '?'; newlines stay if keeps_newlines. */
void atl_utf8_clean(char *text, bool keeps_newlines);

#endif
