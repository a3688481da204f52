#include "model/transformer/rows.h"

size_t atl_rows_bytes(int32_t n_samples, int32_t max_rows) {
  return (size_t)n_samples * (sizeof(int32_t) + sizeof(int64_t)) +
         (size_t)max_rows * (sizeof(atl_row_group_t) + sizeof(bool));
}

atl_status_t atl_rows_init(atl_rows_t *rows, int32_t n_text, int32_t n_prefixes, int32_t n_samples, int32_t max_rows,
                           atl_arena_t *arena) {
  *rows = (atl_rows_t){.n_text = n_text, .n_prefixes = n_prefixes, .n_samples = n_samples, .max_rows = max_rows};
  ATL_TRY(ATL_TAKE(arena, n_samples, &rows->bound));
  ATL_TRY(ATL_TAKE(arena, n_samples, &rows->seen));
  ATL_TRY(ATL_TAKE(arena, max_rows, &rows->is_grouped));
  return ATL_TAKE(arena, max_rows, &rows->groups);
}

/* Sets *why, unless why is NULL, and returns false. */
static bool fails(const char **why, const char *what) {
  if (why != NULL) *why = what;
  return false;
}

static const char *error_of(const atl_rows_t *rows, const atl_row_t *row) {
  if (row->position < 0) return "a row has a negative position";
  if (row->sequence < 0) return "a row has a negative sequence";
  if (atl_row_is_text(rows, row)) return row->sequence < rows->n_prefixes ? NULL : "a text row has an unknown prefix";
  if (row->sequence >= rows->n_samples) return "an image row has an unknown sample";
  int32_t prefix = rows->bound[row->sequence];
  return prefix >= 0 && prefix < rows->n_prefixes ? NULL : "an image row's sample is bound to no prefix";
}

bool atl_rows_are_allowed(const atl_rows_t *rows, const atl_row_t *call, int32_t n, const char **why) {
  if (n < 0 || n > rows->max_rows) return fails(why, "a call has more than max_rows rows");
  for (int32_t i = 0; i < n; i++) {
    const char *error = error_of(rows, &call[i]);
    if (error != NULL) return fails(why, error);
  }
  return true;
}

/* Is member m of a group right, given the members before it? */
static bool is_member(const atl_rows_t *rows, const atl_row_group_t *group, int32_t m, const char **why) {
  int32_t i_row = group->members[m];
  if (i_row < 0 || i_row >= rows->n_rows) return fails(why, "a group has a member outside the call");
  const atl_row_t *row = &rows->rows[i_row];
  if (m > 0 && group->members[m - 1] >= i_row) return fails(why, "a group's members are not in increasing order");
  if (atl_row_is_text(rows, row) != group->is_text) return fails(why, "a group mixes text and image rows");
  if (atl_row_prefix(rows, row) != group->prefix) return fails(why, "a group mixes prefixes");
  for (int32_t before = 0; before < m; before++) {
    const atl_row_t *other = &rows->rows[group->members[before]];
    if (other->sequence == row->sequence && other->position >= row->position)
      return fails(why, "a sequence's rows are not in order of position");
  }
  return true;
}

bool atl_rows_are_valid(const atl_rows_t *rows, const char **why) {
  int32_t n_members = 0;
  if (!atl_rows_are_allowed(rows, rows->rows, rows->n_rows, why)) return false;
  for (int32_t i = 0; i < rows->n_groups; i++) {
    const atl_row_group_t *group = &rows->groups[i];
    if (group->n < 1 || group->n > ATL_GROUP_ROWS) return fails(why, "a group is empty or too large");
    for (int32_t m = 0; m < group->n; m++)
      if (!is_member(rows, group, m, why)) return false;
    n_members += group->n;
  }
  for (int32_t i = 0; i < rows->n_rows; i++)
    if (!rows->is_grouped[i]) return fails(why, "a row is in no group");
  return n_members == rows->n_rows || fails(why, "the groups have fewer or more members than the call has rows");
}

/* Fills a group with row i and the later rows of its kind and prefix that are not in a group yet. */
static void fill_group(atl_rows_t *rows, atl_row_group_t *group, int32_t i) {
  const atl_row_t *row = &rows->rows[i];
  *group = (atl_row_group_t){.prefix = atl_row_prefix(rows, row), .is_text = atl_row_is_text(rows, row)};
  for (; i < rows->n_rows && group->n < ATL_GROUP_ROWS; i++) {
    row = &rows->rows[i];
    if (rows->is_grouped[i] || atl_row_is_text(rows, row) != group->is_text ||
        atl_row_prefix(rows, row) != group->prefix)
      continue;
    rows->is_grouped[i] = true;
    group->members[group->n++] = i;
  }
}

void atl_rows_set(atl_rows_t *rows, const atl_row_t *call, int32_t n) {
  ATL_ASSERT(atl_rows_are_allowed(rows, call, n, NULL));
  rows->rows = call;
  rows->n_rows = n;
  rows->n_groups = 0;
  rows->has_repeats = false;
  rows->n_calls++;
  for (int32_t i = 0; i < n; i++) {
    rows->is_grouped[i] = false;
    if (atl_row_is_text(rows, &call[i])) continue;
    rows->has_repeats |= rows->seen[call[i].sequence] == rows->n_calls;
    rows->seen[call[i].sequence] = rows->n_calls;
  }
  for (int32_t i = 0; i < n; i++)
    if (!rows->is_grouped[i]) fill_group(rows, &rows->groups[rows->n_groups++], i);
  ATL_ASSERT(atl_rows_are_valid(rows, NULL));
}
