/* Rows: the rows of one call of the transformer, sorted out once for all its layers: which prefix each reads, which rows
 * can be multiplied with the same text keys and values together, and whether a sample comes more than once.
 *
 *     atl_rows_set(&rows, call, n);
 *     for (int32_t i = 0; i < rows.n_groups; i++) attend(&rows.groups[i]);
 */
#ifndef ATL_MODEL_TRANSFORMER_ROWS_H
#define ATL_MODEL_TRANSFORMER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"

/* One sequence at one position: the unit of work of the transformer (transformer.h). */
typedef struct {
  int32_t sequence; /* a prefix for position <= T, a sample above */
  int32_t position; /* 0..T+I-1 */
} atl_row_t;

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
  int32_t n_prefixes, n_samples, max_rows;
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
atl_status_t atl_rows_init(atl_rows_t *rows, int32_t n_text, int32_t n_prefixes, int32_t n_samples, int32_t max_rows,
                           atl_arena_t *arena);
/* Sorts out the n rows of a call; borrows them until the next. Asserts that they are valid, before and after. */
void atl_rows_set(atl_rows_t *rows, const atl_row_t *call, int32_t n);

/* Can these be the rows of a call? Each names a prefix or a sample that exists, and the samples' prefixes exist. When
 * they cannot, *why says what is wrong with which row; why may be NULL. */
bool atl_rows_are_allowed(const atl_rows_t *rows, const atl_row_t *call, int32_t n, const char **why);
/* Are the groups those of the call? Each row is in exactly one, with rows of its kind and prefix; members rise, and so do
 * the positions of a sequence within a group. */
bool atl_rows_are_valid(const atl_rows_t *rows, const char **why);

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
