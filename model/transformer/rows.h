/* Rows: the rows of one call of the transformer, sorted out once for all its layers: which prefix each reads, which
 * rows can be multiplied with the same text keys and values together, and whether a sample comes more than once.
 */
#ifndef ATL_MODEL_TRANSFORMER_ROWS_H
#define ATL_MODEL_TRANSFORMER_ROWS_H

#include "common/arena.h"
#include "model/transformer/transformer.h"

enum { ATL_GROUP_ROWS = 8 }; /* at least ATL_MAX_TILE of the cache */

/* Rows of a call, in its order: text positions of one prefix, or image tokens of samples bound to one prefix. They need
 * not be neighbours: with guidance, rows of a prompt and of the empty text may alternate. */
typedef struct {
  int32_t n, prefix;
  int32_t members[ATL_GROUP_ROWS]; /* indices into the call's rows, rising */
  bool is_text;
} atl_row_group_t;

typedef struct {
  int32_t n_text; /* T+1 */
  int32_t *bound; /* (n_samples) prefix of each sample */
  int64_t *seen;  /* (n_samples) number of the last call with the sample */
  int64_t n_calls;
  const atl_row_t *rows; /* of the call; borrowed */
  int32_t n_rows, n_groups;
  bool *is_grouped;        /* (max_rows) of the call being sorted */
  atl_row_group_t *groups; /* (max_rows) */
  bool has_repeats;        /* some sample has more than one row */
} atl_rows_t;

size_t atl_rows_bytes(int32_t n_samples, int32_t max_rows);
/* MEMORY. The arena owns. */
atl_status_t atl_rows_init(atl_rows_t *rows, int32_t n_text, int32_t n_samples, int32_t max_rows, atl_arena_t *arena);
/* Sorts out the n rows of a call; borrows them until the next. */
void atl_rows_set(atl_rows_t *rows, const atl_row_t *call, int32_t n);

static inline bool atl_row_is_text(const atl_rows_t *rows, const atl_row_t *row) {
  return row->position < rows->n_text;
}
/* j of an image row. */
static inline int32_t atl_row_token(const atl_rows_t *rows, const atl_row_t *row) {
  return row->position - rows->n_text;
}
static inline int32_t atl_row_prefix(const atl_rows_t *rows, const atl_row_t *row) {
  return atl_row_is_text(rows, row) ? row->sequence : rows->bound[row->sequence];
}

#endif
