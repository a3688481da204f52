#include "model/rows.h"

size_t atl_rows_bytes(int32_t n_samples, int32_t max_rows) {
  return (size_t)n_samples * (sizeof(int32_t) + sizeof(int64_t)) + (size_t)max_rows * sizeof(atl_row_group_t);
}

atl_status_t atl_rows_init(atl_rows_t *rows, int32_t n_text, int32_t n_samples, int32_t max_rows, atl_arena_t *arena) {
  *rows = (atl_rows_t){.n_text = n_text};
  ATL_TRY(ATL_TAKE(arena, n_samples, &rows->bound));
  ATL_TRY(ATL_TAKE(arena, n_samples, &rows->seen));
  return ATL_TAKE(arena, max_rows, &rows->groups);
}

void atl_rows_set(atl_rows_t *rows, const atl_row_t *call, int32_t n) {
  rows->rows = call;
  rows->n_rows = n;
  rows->n_groups = 0;
  rows->has_repeats = false;
  rows->n_calls++;
  atl_row_group_t *group = NULL;
  for (int32_t i = 0; i < n; i++) {
    bool is_text = atl_row_is_text(rows, &call[i]);
    int32_t prefix = atl_row_prefix(rows, &call[i]);
    if (!is_text) {
      rows->has_repeats |= rows->seen[call[i].sequence] == rows->n_calls;
      rows->seen[call[i].sequence] = rows->n_calls;
    }
    if (group != NULL && group->n < ATL_GROUP_ROWS && group->is_text == is_text && group->prefix == prefix) {
      group->n++;
      continue;
    }
    group = &rows->groups[rows->n_groups++];
    *group = (atl_row_group_t){.first = i, .n = 1, .prefix = prefix, .is_text = is_text};
  }
}
