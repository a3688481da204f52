/* Tokenizer: converts text to ids and back. The file determines the kind: CLIP's merges (plain or .gz), also used by
 * DALLE-pytorch's SimpleTokenizer, or a Hugging Face tokenizer.json with a BPE model.
 *
 *     ATL_TRY(atl_tokenizer_open("weights/emoji/tokenizer.bpe.txt", &tokenizer));
 *     ATL_TRY(atl_tokenizer_fill(tokenizer, "a red heart", false, ids, 24));
 *     atl_tokenizer_destroy(&tokenizer);
 *
 * Not thread-safe: encode and decode use buffers of the tokenizer. All local. */
#ifndef ATL_MODEL_TOKENIZER_TOKENIZER_H
#define ATL_MODEL_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

typedef struct atl_tokenizer atl_tokenizer_t;

/* INPUT when the file is missing or not a tokenizer; UNSUPPORTED when it needs something not implemented. Caller
 * owns. */
atl_status_t atl_tokenizer_open(const char *path, atl_tokenizer_t **tokenizer);
void atl_tokenizer_destroy(atl_tokenizer_t **tokenizer);
/* Size of the vocabulary: the largest id plus 1. */
int32_t atl_tokenizer_n_ids(const atl_tokenizer_t *tokenizer);

/* The ids of a text, without start and end tokens. INPUT when the text is not UTF-8 or longer than 64 KiB. *ids is
 * borrowed until the next call. */
atl_status_t atl_tokenizer_encode(atl_tokenizer_t *tokenizer, const char *text, const int32_t **ids, size_t *n_ids);
/* The text of ids. CLIP's merges: trailing zeros are padding and dropped, as no text's ids end in 0. tokenizer.json:
 * special tokens are dropped. INPUT when an id is not in the vocabulary. *text is borrowed until the next call. */
atl_status_t atl_tokenizer_decode(atl_tokenizer_t *tokenizer, const int32_t *ids, size_t n_ids, const char **text);

/* fill: out(length) <- ids, zero-padded, as DALLE-pytorch does. fill_clip: out(length) <- start, ids, end, zero-padded.
 * A text that does not fit is cut if `truncate` (fill_clip keeps the end token), else INPUT; also INPUT when it is
 * empty or not UTF-8. fill_clip: UNSUPPORTED when the tokenizer has no start or end token. */
atl_status_t atl_tokenizer_fill(atl_tokenizer_t *tokenizer, const char *text, bool truncate, int32_t *out,
                                int32_t length);
atl_status_t atl_tokenizer_fill_clip(atl_tokenizer_t *tokenizer, const char *text, bool truncate, int32_t *out,
                                     int32_t length);

#endif
