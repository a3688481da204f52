/* Text: growing UTF-8, and code points in and out of it. Everything after the entry checks (common/utf8) is valid.
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
  char *bytes; /* n bytes and a NUL; NULL until the first append */
  size_t n, capacity;
} atl_text_t; /* all zero is empty text */

void atl_text_clear(atl_text_t *text);
/* n bytes; a NUL follows them. MEMORY. */
atl_status_t atl_text_append(atl_text_t *text, const char *bytes, size_t n);
/* One code point. MEMORY. */
atl_status_t atl_text_append_code(atl_text_t *text, uint32_t code);
/* n bytes of anything: what is no UTF-8 becomes U+FFFD, one for each longest start of a sequence (Unicode 3.9, as
 * Python does it). MEMORY. */
atl_status_t atl_text_append_lossy(atl_text_t *text, const char *bytes, size_t n);
/* Empties the text and keeps its memory; bytes is "" afterwards. MEMORY. */
atl_status_t atl_text_reset(atl_text_t *text);

/* The code point at bytes[*i] of valid text; moves *i behind it. */
uint32_t atl_text_read(const char *bytes, size_t n, size_t *i);

#endif
