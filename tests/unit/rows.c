// TEST np=1
/* The rows of a call: groups of rows that read one prefix, and the predicates that detect wrong rows and groups. */
#include "model/transformer/rows.h"

#include <string.h>

#include "tests/support/tap.h"

enum { N_TEXT = 4, N_PREFIXES = 3, N_SAMPLES = 20, MAX_ROWS = 40 };

static atl_arena_t arena;
static atl_rows_t rows;

static void check_groups(void) {
  /* 9 samples of prefix 1 and one of prefix 2 between them, then the text of prefix 0 out of order with others. */
  atl_row_t call[14];
  for (int32_t i = 0; i < 10; i++) {
    call[i] = (atl_row_t){.sequence = i, .position = N_TEXT};
    rows.bound[i] = i == 4 ? 2 : 1;
  }
  for (int32_t p = 0; p < 4; p++) call[10 + p] = (atl_row_t){.sequence = 0, .position = p};
  atl_rows_set(&rows, call, 14);
  TAP_OK(rows.n_groups == 4 && rows.groups[0].n == 8 && rows.groups[1].n == 1 && rows.groups[1].prefix == 2 &&
             rows.groups[2].n == 1 && rows.groups[3].n == 4 && rows.groups[3].is_text,
         "rows are grouped by prefix, at most 8 in a group");
  TAP_OK(!rows.has_repeats, "has_repeats is false when each of 10 samples has one row");
  call[1].sequence = 0;
  call[1].position = N_TEXT + 1;
  atl_rows_set(&rows, call, 14);
  TAP_OK(rows.has_repeats, "has_repeats is true when a sample has two rows");
}

static void check_allowed(atl_row_t row, const char *want, const char *name) {
  const char *why = "";
  bool is_allowed = atl_rows_are_allowed(&rows, &row, 1, &why);
  TAP_OK(is_allowed == (want == NULL) && (want == NULL || strcmp(why, want) == 0), name);
}

static void check_bad_rows(void) {
  const atl_row_t good[MAX_ROWS + 1] = {{0}};
  rows.bound[7] = N_PREFIXES;
  check_allowed((atl_row_t){N_PREFIXES - 1, 0}, NULL, "a row of the last prefix is allowed");
  check_allowed((atl_row_t){N_SAMPLES - 1, N_TEXT}, NULL, "a row of the last sample is allowed");
  check_allowed((atl_row_t){0, -1}, "a row has a negative position", "a row at position -1 is not allowed");
  check_allowed((atl_row_t){-1, 0}, "a row has a negative sequence", "a row of sequence -1 is not allowed");
  check_allowed((atl_row_t){N_PREFIXES, 0}, "a text row has an unknown prefix",
                "a text row beyond the prefixes is not allowed");
  check_allowed((atl_row_t){N_SAMPLES, N_TEXT}, "an image row has an unknown sample",
                "an image row beyond the samples is not allowed");
  check_allowed((atl_row_t){7, N_TEXT}, "an image row's sample is bound to no prefix",
                "a row of a sample bound to no prefix is not allowed");
  TAP_OK(atl_rows_are_allowed(&rows, good, MAX_ROWS, NULL), "a call of max_rows rows is allowed");
  TAP_OK(!atl_rows_are_allowed(&rows, good, MAX_ROWS + 1, NULL), "a call of max_rows + 1 rows is not allowed");
  rows.bound[7] = 0;
}

/* Makes the groups of a call of 3 samples and a text row, damages them, and expects the predicate to say why. */
static void check_damage(void (*damage)(void), const char *want, const char *name) {
  static atl_row_t call[4];
  const char *why = "";
  for (int32_t i = 0; i < 3; i++) call[i] = (atl_row_t){.sequence = i, .position = N_TEXT + 1};
  call[3] = (atl_row_t){.sequence = 1, .position = 2};
  memset(rows.bound, 0, N_SAMPLES * sizeof *rows.bound);
  atl_rows_set(&rows, call, 4);
  TAP_OK(atl_rows_are_valid(&rows, &why), "groups are valid before they are damaged");
  damage();
  TAP_OK(!atl_rows_are_valid(&rows, &why) && strcmp(why, want) == 0, name);
}

static void swap_members(void) { rows.groups[0].members[0] = 1, rows.groups[0].members[1] = 0; }
static void name_no_row(void) { rows.groups[0].members[2] = 4; }
static void mix_kinds(void) { rows.groups[0].members[2] = 3; }
static void change_prefix(void) { rows.groups[1].prefix = 2; }
static void empty_group(void) { rows.groups[1].n = 0; }
static void drop_row(void) { rows.is_grouped[3] = false; }
static void drop_member(void) { rows.groups[0].n = 2; }

static void check_order(void) {
  const atl_row_t call[2] = {{0, N_TEXT + 1}, {0, N_TEXT}};
  const char *why = "";
  rows.rows = call;
  rows.n_rows = 2;
  rows.n_groups = 1;
  rows.is_grouped[0] = rows.is_grouped[1] = true;
  rows.groups[0] = (atl_row_group_t){.n = 2, .prefix = rows.bound[0], .members = {0, 1}};
  TAP_OK(!atl_rows_are_valid(&rows, &why) && strcmp(why, "a sequence's rows are not in order of position") == 0,
         "rows of a sequence out of order are detected");
}

int main(void) {
  TAP_STATUS(ATL_OK, atl_rows_init(&rows, N_TEXT, N_PREFIXES, N_SAMPLES, MAX_ROWS, &arena), "rows are initialised");
  check_groups();
  check_bad_rows();
  check_damage(swap_members, "a group's members are not in increasing order", "members out of order are detected");
  check_damage(name_no_row, "a group has a member outside the call", "a member outside the call is detected");
  check_damage(mix_kinds, "a group mixes text and image rows", "a text row among image rows is detected");
  check_damage(change_prefix, "a group mixes prefixes", "a group with the wrong prefix is detected");
  check_damage(empty_group, "a group is empty or too large", "an empty group is detected");
  check_damage(drop_row, "a row is in no group", "a row without a group is detected");
  check_damage(drop_member, "the groups have fewer or more members than the call has rows",
               "groups with fewer members than rows are detected");
  check_order();
  atl_arena_clear(&arena);
  return tap_done();
}
