/* Bpe: byte-pair encoding. A word is a row of symbols; merges, each with a rank, join neighbours until none applies.
 *
 * A symbol is a text. It has a number here (0, 1, ... in order of first appearance) and an id in the vocabulary. The
 * two differ, as CLIP's file spells some texts twice, and the later line gives the id.
 */
#ifndef ATL_MODEL_TOKENIZER_BPE_H
#define ATL_MODEL_TOKENIZER_BPE_H

#include <stdbool.h>

#include "model/tokenizer/map.h"

/* A growing list of ids or symbols. */
typedef struct {
  int32_t *items;
  size_t n, capacity;
} atl_ids_t;
atl_status_t atl_ids_append(atl_ids_t *ids, int32_t id);
void atl_ids_clear(atl_ids_t *ids);

enum { ATL_MAX_IDS = 1 << 22 }; /* ids above it are taken for a corrupt file */

typedef struct atl_bpe atl_bpe_t;

/* `merges_at_once`: a merge joins all its occurrences in a word, left to right, before any other is looked at (CLIP);
 * otherwise the lowest rank, then the leftmost, goes first each time (Hugging Face). They differ only for files no
 * training makes. Caller owns. */
atl_status_t atl_bpe_new(bool merges_at_once, atl_bpe_t **bpe);
void atl_bpe_destroy(atl_bpe_t **bpe);

/* The text gets this id, also when it had another one; *symbol (may be NULL) is its number. MEMORY. id in
 * 0..ATL_MAX_IDS-1. */
atl_status_t atl_bpe_add_symbol(atl_bpe_t *bpe, const char *text, size_t n, int32_t id, int32_t *symbol);
/* The symbol of a text, -1 when there is none. */
int32_t atl_bpe_find(const atl_bpe_t *bpe, const char *text, size_t n);
/* left right -> merged, with the next rank; a pair that has a rank gets the new one. MEMORY. */
atl_status_t atl_bpe_add_merge(atl_bpe_t *bpe, int32_t left, int32_t right, int32_t merged);

int32_t atl_bpe_id(const atl_bpe_t *bpe, int32_t symbol);
/* The text of an id, NUL-terminated or not, *n bytes; NULL when no symbol was given the id. Borrowed until the next
 * add. */
const char *atl_bpe_text(const atl_bpe_t *bpe, int32_t id, size_t *n);
/* One more than the largest id. */
int32_t atl_bpe_n_ids(const atl_bpe_t *bpe);

/* Merges a word of symbols in place. O(n log n) in its length. MEMORY. */
atl_status_t atl_bpe_merge(atl_bpe_t *bpe, atl_ids_t *word);

/* The 256 printable stand-ins for bytes that byte-level vocabularies are spelled with: 33..126, 161..172 and 174..255
 * stand for themselves, the other bytes in order are U+0100, U+0101, ... */
void atl_bpe_byte_codes(uint32_t codes[256]);
/* Turns stand-ins back: appends the bytes, and what is no stand-in as it is. MEMORY. */
atl_status_t atl_bpe_append_bytes(const char *text, size_t n, atl_text_t *bytes);

#endif
