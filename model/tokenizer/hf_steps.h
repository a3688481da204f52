/* Hf steps: the normalizer and the pre-tokenizer of a tokenizer.json, as lists of steps. Private to model/tokenizer.
 *
 * A normalizer rewrites a text. A pre-tokenizer cuts it into pieces, each of which is one word for the merges. */
#ifndef ATL_MODEL_TOKENIZER_HF_STEPS_H
#define ATL_MODEL_TOKENIZER_HF_STEPS_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/json.h"
#include "model/tokenizer/split.h"
#include "model/tokenizer/text.h"

/* A step's output is bounded: a text has at most 64 KiB (tokenizer.c), and its characters grow by 11 at most (NFKD). */
enum { ATL_MAX_HF_STEPS = 16, ATL_MAX_NORMALIZED_BYTES = 1 << 20 };

typedef struct {
  enum { ATL_HF_FORM, ATL_HF_LOWER, ATL_HF_STRIP, ATL_HF_REPLACE, ATL_HF_PREPEND } kind;
  int form;                      /* FORM: atl_unicode_form_t */
  bool left, right;              /* STRIP */
  const char *pattern, *content; /* REPLACE: a text (or split, when pattern is NULL) -> content; PREPEND: content */
  atl_split_t *split;
} atl_hf_normalizer_t;

typedef struct {
  bool add_prefix_space; /* ByteLevel */
  atl_split_t *split;    /* NULL: the text is one piece */
  bool keeps_matches, keeps_gaps;
} atl_hf_cutter_t;

typedef struct {
  atl_arena_t arena; /* texts */
  atl_hf_normalizer_t normalizers[ATL_MAX_HF_STEPS];
  atl_hf_cutter_t cutters[ATL_MAX_HF_STEPS];
  int n_normalizers, n_cutters;
  bool is_byte_level; /* pieces are bytes, spelled with stand-ins */
} atl_hf_steps_t;     /* all zero has no step */

/* Pieces of a text: text.bytes[ends[i-1]..ends[i]) is piece i. */
typedef struct {
  atl_text_t text;
  size_t *ends;
  size_t n, capacity;
} atl_pieces_t;

/* From the objects "normalizer" and "pre_tokenizer", NULL or null when there is none. UNSUPPORTED names a step that is
 * not done here. On failure too, clear. */
atl_status_t atl_hf_steps_load(const json_t *normalizer, const json_t *pre_tokenizer, const char *where,
                               atl_hf_steps_t *steps);
void atl_hf_steps_clear(atl_hf_steps_t *steps);
/* Appends the normalised text of n bytes. INPUT when a step makes more than ATL_MAX_NORMALIZED_BYTES of it. */
atl_status_t atl_hf_steps_normalize(const atl_hf_steps_t *steps, const char *text, size_t n, atl_text_t *out);
/* Cuts n bytes into pieces; `spare` is scratch. Both are emptied first. */
atl_status_t atl_hf_steps_cut(const atl_hf_steps_t *steps, const char *text, size_t n, atl_pieces_t *pieces,
                              atl_pieces_t *spare);
void atl_pieces_clear(atl_pieces_t *pieces);

#endif
