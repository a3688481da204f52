/* Tokenizer: text -> ids and back. One interface; the file decides the kind: CLIP's merges (plain or .gz), also used by
 * DALLE-pytorch's SimpleTokenizer, or a Hugging Face tokenizer.json of BPE kind. */
#ifndef ATL_MODEL_TOKENIZER_TOKENIZER_H
#define ATL_MODEL_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

typedef struct atl_tokenizer atl_tokenizer_t;

/* INPUT when the file is not a tokenizer. Caller owns. */
atl_status_t atl_tokenizer_open(const char *path, atl_tokenizer_t **tokenizer);
void atl_tokenizer_destroy(atl_tokenizer_t **tokenizer);
int32_t atl_tokenizer_n_ids(const atl_tokenizer_t *tokenizer);

/* ids of a text, without start and end symbols. INPUT when the text is not UTF-8 or has more than 64 KiB. *ids is
 * borrowed until the next call.
 */
atl_status_t atl_tokenizer_encode(atl_tokenizer_t *tokenizer, const char *text, const int32_t **ids, size_t *n_ids);
/* The text of ids. Dropped are, of CLIP's, zeros at the end (padding: no text's ids end in 0), and the special tokens
 * of a tokenizer.json. INPUT when an id is not in the vocabulary. *text is borrowed until the next call. */
atl_status_t atl_tokenizer_decode(atl_tokenizer_t *tokenizer, const int32_t *ids, size_t n_ids, const char **text);

/* DALLE-pytorch: out(length) <- ids, zero padded. CLIP: out(length) <- start, ids, end, zero padded. INPUT when the
 * text does not fit (the message says how many ids it has and to try --truncate), is empty or not UTF-8; with
 * `truncate` it is cut (CLIP: the last id becomes the end symbol). */
atl_status_t atl_tokenizer_fill(atl_tokenizer_t *tokenizer, const char *text, bool truncate, int32_t *out,
                                int32_t length);
atl_status_t atl_tokenizer_fill_clip(atl_tokenizer_t *tokenizer, const char *text, bool truncate, int32_t *out,
                                     int32_t length);

#endif
