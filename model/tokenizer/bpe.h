/* Bpe: byte-pair encoding. A word is a sequence of symbols. Merges, ordered by priority (merge rank, 0 first), join
 * neighbouring symbols until none applies.
 *
 * A symbol is a text with an index (0, 1, ... in order of first appearance) and an id in the vocabulary. The two differ
 * because CLIP's file contains some texts twice, and the later line determines the id.
 *
 *     ATL_TRY(atl_bpe_new(true, &bpe));
 *     ATL_TRY(atl_bpe_add_symbol(bpe, "a", 1, 0, &a));
 *     ATL_TRY(atl_bpe_add_symbol(bpe, "aa", 2, 1, &aa));
 *     ATL_TRY(atl_bpe_add_merge(bpe, a, a, aa));
 *     ATL_TRY(atl_bpe_merge(bpe, &word));                  word: symbols a a a -> aa a
 *     atl_bpe_destroy(&bpe);
 */
#ifndef ATL_MODEL_TOKENIZER_BPE_H
#define ATL_MODEL_TOKENIZER_BPE_H

#include <stdbool.h>

#include "model/tokenizer/map.h"

/* A growing list of ids or symbols; all zero is empty. MEMORY. */
typedef struct {
  int32_t *items;
  size_t n, capacity;
} atl_ids_t;
atl_status_t atl_ids_append(atl_ids_t *ids, int32_t id);
void atl_ids_clear(atl_ids_t *ids);

enum { ATL_MAX_IDS = 1 << 22 }; /* a file with larger ids is taken for corrupt */

typedef struct atl_bpe atl_bpe_t;

/* `merges_at_once`: a merge joins all its occurrences in a word, left to right, before the next merge is considered
 * (CLIP). Otherwise each step takes the lowest merge rank, then the leftmost pair (Hugging Face). The results differ
 * only for merges that no training produces. MEMORY. Caller owns. */
atl_status_t atl_bpe_new(bool merges_at_once, atl_bpe_t **bpe);
void atl_bpe_destroy(atl_bpe_t **bpe);

/* Gives a text of n bytes an id in 0..ATL_MAX_IDS-1 (asserted), replacing an earlier id of the text. *symbol, unless
 * NULL, becomes its index. MEMORY. Copies the text. */
atl_status_t atl_bpe_add_symbol(atl_bpe_t *bpe, const char *text, size_t n, int32_t id, int32_t *symbol);
/* The symbol of a text, or -1. */
int32_t atl_bpe_find(const atl_bpe_t *bpe, const char *text, size_t n);
/* Adds the merge of the pair (left, right) into `merged` with the next merge rank. A pair added twice gets the later
 * one. MEMORY. */
atl_status_t atl_bpe_add_merge(atl_bpe_t *bpe, int32_t left, int32_t right, int32_t merged);

int32_t atl_bpe_id(const atl_bpe_t *bpe, int32_t symbol);
/* The *n bytes of the text of an id, not NUL-terminated; NULL when no symbol has the id. Borrowed until the next
 * add. */
const char *atl_bpe_text(const atl_bpe_t *bpe, int32_t id, size_t *n);
/* The largest id plus 1. */
int32_t atl_bpe_n_ids(const atl_bpe_t *bpe);

/* Merges a word of symbols in place. O(n log n) in its length. MEMORY. */
atl_status_t atl_bpe_merge(atl_bpe_t *bpe, atl_ids_t *word);

/* Byte-level vocabularies write each byte as a printable stand-in character: 33..126, 161..172 and 174..255 as
 * themselves, the other bytes in order as U+0100, U+0101, ... */
void atl_bpe_byte_codes(uint32_t codes[256]);
/* Appends the bytes that the stand-ins in a text stand for; other characters are appended unchanged. MEMORY. */
atl_status_t atl_bpe_append_bytes(const char *text, size_t n, atl_text_t *bytes);

#endif
