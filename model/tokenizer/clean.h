/* Clean: the preprocessing of CLIP's tokenizer: fix characters (a part of ftfy), resolve HTML references twice,
 * collapse white space, convert to lower case. docs/tokenizer.md lists which steps of ftfy are implemented. */
#ifndef ATL_MODEL_TOKENIZER_CLEAN_H
#define ATL_MODEL_TOKENIZER_CLEAN_H

#include "model/tokenizer/text.h"

/* Appends the cleaned text of n bytes of valid UTF-8. MEMORY. */
atl_status_t atl_clean_text(const char *bytes, size_t n, atl_text_t *out);

/* Maps a C1 control character (0x80..0x9F) to its character in Windows-1252; any other code is returned unchanged. */
uint32_t atl_clean_windows_1252(uint32_t code);

#endif
