#include "model/transformer/rows.h"

size_t atl_rows_bytes(int32_t n_samples, int32_t max_rows) {
  return (size_t)n_samples * (sizeof(int32_t) + sizeof(int64_t)) +
         (size_t)max_rows * (sizeof(atl_row_group_t) + sizeof(bool));
}

atl_status_t atl_rows_init(atl_rows_t *rows, int32_t n_text, int32_t n_samples, int32_t max_rows, atl_arena_t *arena) {
  *rows = (atl_rows_t){.n_text = n_text};
  ATL_TRY(ATL_TAKE(arena, n_samples, &rows->bound));
  ATL_TRY(ATL_TAKE(arena, n_samples, &rows->seen));
  ATL_TRY(ATL_TAKE(arena, max_rows, &rows->is_grouped));
  return ATL_TAKE(arena, max_rows, &rows->groups);
}

/* The rows from i on that belong with row i and are in no group yet. */
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
}
