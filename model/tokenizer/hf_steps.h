/* Hf steps: the normalizer and the pre-tokenizer of a tokenizer.json as lists of steps. Private to model/tokenizer.
 *
 * A normalizer rewrites a text. A pre-tokenizer splits it into pieces; the merges treat each piece as one word. */
#ifndef ATL_MODEL_TOKENIZER_HF_STEPS_H
#define ATL_MODEL_TOKENIZER_HF_STEPS_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/json.h"
#include "model/tokenizer/split.h"
#include "model/tokenizer/text.h"

/* Bounds a step's output: a text has at most 64 KiB (tokenizer.c), and NFKD expands a text at most 11 times. */
enum { ATL_MAX_HF_STEPS = 16, ATL_MAX_NORMALIZED_BYTES = 1 << 20 };

typedef struct {
  enum { ATL_HF_FORM, ATL_HF_LOWER, ATL_HF_STRIP, ATL_HF_REPLACE, ATL_HF_PREPEND } kind;
  int form;                      /* FORM: atl_unicode_form_t */
  bool left, right;              /* STRIP */
  const char *pattern, *content; /* REPLACE: pattern (NULL: split) becomes content; PREPEND: content */
  atl_split_t *split;
} atl_hf_normalizer_t;

typedef struct {
  bool add_prefix_space; /* ByteLevel */
  atl_split_t *split;    /* NULL: the text is one piece */
  bool keeps_matches, keeps_gaps;
} atl_hf_cutter_t;

typedef struct {
  atl_arena_t arena; /* owns the strings of the steps */
  atl_hf_normalizer_t normalizers[ATL_MAX_HF_STEPS];
  atl_hf_cutter_t cutters[ATL_MAX_HF_STEPS];
  int n_normalizers, n_cutters;
  bool is_byte_level; /* bytes of pieces are written as stand-ins (bpe.h) */
} atl_hf_steps_t;     /* all zero: no steps */

/* Pieces of a text: piece i is text.bytes[ends[i-1]..ends[i]), with ends[-1] = 0. */
typedef struct {
  atl_text_t text;
  size_t *ends;
  size_t n, capacity;
} atl_pieces_t;

/* Reads the JSON objects "normalizer" and "pre_tokenizer", each NULL or null if absent. INPUT; UNSUPPORTED with the
 * name of a step that is not implemented. The caller clears *steps, after a failure too. */
atl_status_t atl_hf_steps_load(const json_t *normalizer, const json_t *pre_tokenizer, const char *where,
                               atl_hf_steps_t *steps);
void atl_hf_steps_clear(atl_hf_steps_t *steps);
/* Appends n bytes, normalised. INPUT when the result of a step exceeds ATL_MAX_NORMALIZED_BYTES. */
atl_status_t atl_hf_steps_normalize(const atl_hf_steps_t *steps, const char *text, size_t n, atl_text_t *out);
/* Splits n bytes into pieces; `spare` is workspace. Both are emptied first. */
atl_status_t atl_hf_steps_cut(const atl_hf_steps_t *steps, const char *text, size_t n, atl_pieces_t *pieces,
                              atl_pieces_t *spare);
void atl_pieces_clear(atl_pieces_t *pieces);

#endif
