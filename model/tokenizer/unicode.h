/* Unicode: white space, lower case and normalisation forms, on tables of utf8proc. All text is valid UTF-8. */
#ifndef ATL_MODEL_TOKENIZER_UNICODE_H
#define ATL_MODEL_TOKENIZER_UNICODE_H

#include <stdbool.h>

#include "model/tokenizer/text.h"

typedef enum { ATL_UNICODE_NFC, ATL_UNICODE_NFD, ATL_UNICODE_NFKC, ATL_UNICODE_NFKD } atl_unicode_form_t;

/* Maps a C1 control character (0x80..0x9F) to its character in Windows-1252; any other code is returned unchanged. */
uint32_t atl_unicode_from_windows_1252(uint32_t code);
/* White space as defined by Python's str.isspace(). */
bool atl_unicode_is_space(uint32_t code);
/* Appends n bytes in lower case. `final_sigma`: a capital sigma at the end of a word becomes a final sigma, as in
 * Python's str.lower() but not in Rust's char::to_lowercase. MEMORY. */
atl_status_t atl_unicode_lower(const char *bytes, size_t n, bool final_sigma, atl_text_t *out);
/* Appends n bytes in a normalisation form, in linear time. MEMORY. */
atl_status_t atl_unicode_normalize(const char *bytes, size_t n, atl_unicode_form_t form, atl_text_t *out);

#endif
