/* Text: a growing UTF-8 string. Texts from outside are validated once (common/utf8); all text in here is valid.
 *
 *     atl_text_t text = {0};
 *     ATL_TRY(atl_text_append_code(&text, 0x1F98A));
 *     for (size_t i = 0; i < text.n;) use(atl_text_read(text.bytes, text.n, &i));
 *     atl_text_clear(&text);
 */
#ifndef ATL_MODEL_TOKENIZER_TEXT_H
#define ATL_MODEL_TOKENIZER_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

typedef struct {
  char *bytes; /* n bytes and a NUL; NULL before the first append */
  size_t n, capacity;
} atl_text_t; /* all zero is an empty text */

void atl_text_clear(atl_text_t *text);
/* Appends n bytes, and a NUL that does not count. MEMORY. */
atl_status_t atl_text_append(atl_text_t *text, const char *bytes, size_t n);
/* Appends one code point. MEMORY. */
atl_status_t atl_text_append_code(atl_text_t *text, uint32_t code);
/* Appends n arbitrary bytes. Each maximal malformed subsequence becomes one U+FFFD (Unicode 3.9, as in Python).
 * MEMORY. */
atl_status_t atl_text_append_lossy(atl_text_t *text, const char *bytes, size_t n);
/* Empties the text but keeps its memory; bytes is "" afterwards. MEMORY. */
atl_status_t atl_text_reset(atl_text_t *text);

/* Returns the code point at bytes[*i] of valid text and advances *i past it. */
uint32_t atl_text_read(const char *bytes, size_t n, size_t *i);

#endif
