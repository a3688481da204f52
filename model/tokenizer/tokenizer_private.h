/* Kinds: the two tokenizers behind atl_tokenizer_t. Private to model/tokenizer. */
#ifndef ATL_MODEL_TOKENIZER_TOKENIZER_PRIVATE_H
#define ATL_MODEL_TOKENIZER_TOKENIZER_PRIVATE_H

#include "model/tokenizer/bpe.h"
#include "model/tokenizer/text.h"

/* CLIP's merges. `contents` are the file's n bytes; `where` names it in messages. Both are borrowed during the call.
 * INPUT. Caller owns. */
typedef struct atl_clip_bpe atl_clip_bpe_t;
atl_status_t atl_clip_bpe_new(const char *contents, size_t n, const char *where, atl_clip_bpe_t **clip);
void atl_clip_bpe_destroy(atl_clip_bpe_t **clip);
/* Appends the ids of n bytes of valid UTF-8. */
atl_status_t atl_clip_bpe_encode(atl_clip_bpe_t *clip, const char *text, size_t n, atl_ids_t *ids);
/* Appends the text of the ids. INPUT when an id is not in the vocabulary. */
atl_status_t atl_clip_bpe_decode(const atl_clip_bpe_t *clip, const int32_t *ids, size_t n, atl_text_t *text);
int32_t atl_clip_bpe_n_ids(const atl_clip_bpe_t *clip);

/* A Hugging Face tokenizer.json, with the same contracts. UNSUPPORTED, with its name, for a part that is not
 * implemented. */
typedef struct atl_huggingface atl_huggingface_t;
atl_status_t atl_huggingface_new(const char *contents, size_t n, const char *where, atl_huggingface_t **hf);
void atl_huggingface_destroy(atl_huggingface_t **hf);
atl_status_t atl_huggingface_encode(atl_huggingface_t *hf, const char *text, size_t n, atl_ids_t *ids);
atl_status_t atl_huggingface_decode(atl_huggingface_t *hf, const int32_t *ids, size_t n, atl_text_t *text);
int32_t atl_huggingface_n_ids(const atl_huggingface_t *hf);
/* The id of an added token such as "<|startoftext|>", or -1. */
int32_t atl_huggingface_added(const atl_huggingface_t *hf, const char *content);

#endif
