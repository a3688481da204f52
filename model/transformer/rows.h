/* Rows: groups the rows of one call of the transformer, once for all its layers. The rows of a group read the same
 * prefix, so they are multiplied with its text keys and values together. Also notes whether a sample has several rows.
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
  int32_t sequence; /* a prefix for positions 0..T, a sample for positions above */
  int32_t position; /* 0..T+I-1 */
} atl_row_t;

enum { ATL_GROUP_ROWS = 8 }; /* at least the cache's ATL_MAX_TILE */

/* Rows of a call, in its order: text positions of one prefix, or image tokens of samples bound to one prefix. They need
 * not be adjacent: with guidance, rows of a prompt and of the empty text may alternate. */
typedef struct {
  int32_t n, prefix;
  int32_t members[ATL_GROUP_ROWS]; /* indices into the call's rows, increasing */
  bool is_text;
} atl_row_group_t;

typedef struct {
  int32_t n_text; /* T+1 */
  int32_t n_prefixes, n_samples, max_rows;
  int32_t *bound; /* (n_samples) the prefix of each sample */
  int64_t *seen;  /* (n_samples) n_calls at the last call that had the sample */
  int64_t n_calls;
  const atl_row_t *rows; /* of the current call; borrowed */
  int32_t n_rows, n_groups;
  bool *is_grouped;        /* (max_rows) whether the row is in a group */
  atl_row_group_t *groups; /* (max_rows) */
  bool has_repeats;        /* some sample has more than one row */
} atl_rows_t;

/* Bytes of the arrays. Pure. */
size_t atl_rows_bytes(int32_t n_samples, int32_t max_rows);
/* MEMORY. The arena owns. */
atl_status_t atl_rows_init(atl_rows_t *rows, int32_t n_text, int32_t n_prefixes, int32_t n_samples, int32_t max_rows,
                           atl_arena_t *arena);
/* Groups the n rows of a call and borrows them until the next. Asserts atl_rows_are_allowed and atl_rows_are_valid. */
void atl_rows_set(atl_rows_t *rows, const atl_row_t *call, int32_t n);

/* Can these be the rows of a call? Each must name an existing prefix, or an existing sample that is bound to one. If
 * not, *why describes the first error; why may be NULL. */
bool atl_rows_are_allowed(const atl_rows_t *rows, const atl_row_t *call, int32_t n, const char **why);
/* Do the groups match the call? Each row must be in exactly one group, with rows of its kind and prefix; members must
 * be in increasing order, and so must the positions of a sequence within a group. *why as above. */
bool atl_rows_are_valid(const atl_rows_t *rows, const char **why);

static inline bool atl_row_is_text(const atl_rows_t *rows, const atl_row_t *row) {
  return row->position < rows->n_text;
}
/* Index j of an image row's token, 0..I-1. */
static inline int32_t atl_row_token(const atl_rows_t *rows, const atl_row_t *row) {
  return row->position - rows->n_text;
}
static inline int32_t atl_row_prefix(const atl_rows_t *rows, const atl_row_t *row) {
  return atl_row_is_text(rows, row) ? row->sequence : rows->bound[row->sequence];
}

#endif
