/* Clean: the preprocessing of CLIP's tokenizer: fix characters (a part of ftfy), resolve HTML references twice,
 * collapse white space, convert to lower case. docs/tokenizer.md lists which steps of ftfy are implemented. */
#ifndef ATL_MODEL_TOKENIZER_CLEAN_H
#define ATL_MODEL_TOKENIZER_CLEAN_H

#include "model/tokenizer/text.h"

/* Appends the cleaned text of n bytes of valid UTF-8. MEMORY. */
atl_status_t atl_clean_text(const char *bytes, size_t n, atl_text_t *out);

#endif
