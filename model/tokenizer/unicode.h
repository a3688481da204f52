/* Unicode: what cleaning a prompt needs to know of characters. Tables come from utf8proc. All text is valid UTF-8. */
#ifndef ATL_MODEL_TOKENIZER_UNICODE_H
#define ATL_MODEL_TOKENIZER_UNICODE_H

#include <stdbool.h>

#include "model/tokenizer/text.h"

typedef enum { ATL_UNICODE_NFC, ATL_UNICODE_NFD, ATL_UNICODE_NFKC, ATL_UNICODE_NFKD } atl_unicode_form_t;

/* White space as Python's str.isspace() sees it. */
bool atl_unicode_is_space(uint32_t code);
/* Appends n bytes in lower case. `final_sigma`: a capital sigma at the end of a word becomes the final one, as Python's
 * str.lower() does and Rust's char::to_lowercase does not. MEMORY. */
atl_status_t atl_unicode_lower(const char *bytes, size_t n, bool final_sigma, atl_text_t *out);
/* Appends n bytes in a normalisation form. MEMORY. */
atl_status_t atl_unicode_normalize(const char *bytes, size_t n, atl_unicode_form_t form, atl_text_t *out);

#endif
