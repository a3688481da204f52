/* Clean: what CLIP's tokenizer does to a text before splitting it: mend (a part of ftfy), resolve HTML references
 * twice, collapse white space, lower case. docs/tokenizer.md says what of ftfy is done and what is not. */
#ifndef ATL_MODEL_TOKENIZER_CLEAN_H
#define ATL_MODEL_TOKENIZER_CLEAN_H

#include "model/tokenizer/text.h"

/* Appends the cleaned text of n bytes of valid UTF-8. MEMORY. */
atl_status_t atl_clean_text(const char *bytes, size_t n, atl_text_t *out);

/* What a C1 control character (0x80..0x9F) means in Windows-1252; itself where that has no character. */
uint32_t atl_clean_windows_1252(uint32_t code);

#endif
