/* A size is a sum of products of letters and integers, read from left to right. An error in a table is our own bug, so
 * it asserts. */
#include "model/nn/table.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

void atl_table_set_letter(atl_table_scope_t *scope, const char *name, int64_t value) {
  int i = 0;
  while (i < scope->n_letters && strcmp(scope->letters[i].name, name) != 0) i++;
  ATL_ASSERT(i < ATL_TABLE_LETTERS);
  if (i == scope->n_letters) scope->n_letters++;
  scope->letters[i].name = name;
  scope->letters[i].value = value;
}

/* ---- sizes ---- */

static int64_t find_letter(const atl_table_scope_t *scope, const char *name, size_t n) {
  for (int i = 0; i < scope->n_letters; i++)
    if (strlen(scope->letters[i].name) == n && memcmp(scope->letters[i].name, name, n) == 0)
      return scope->letters[i].value;
  ATL_ASSERT(!"the network's describe function sets all letters");
  return 0;
}

/* Reads "3" or "V_i" at *text and advances *text past it. */
static int64_t read_factor(const atl_table_scope_t *scope, const char **text) {
  if (isdigit((unsigned char)**text)) return strtoll(*text, (char **)(uintptr_t)text, 10);
  const char *name = *text;
  while (isalnum((unsigned char)**text) || **text == '_') ++*text;
  return find_letter(scope, name, (size_t)(*text - name));
}

/* Reads "3*H*E" or "T+1", up to a comma or the end. */
static int64_t read_size(const atl_table_scope_t *scope, const char **text) {
  int64_t sum = 0, product = read_factor(scope, text);
  for (; **text == '*' || **text == '+';) {
    bool is_sum = *(*text)++ == '+';
    if (is_sum) sum += product;
    product = (is_sum ? 1 : product) * read_factor(scope, text);
  }
  ATL_ASSERT(**text == ',' || **text == '\0');
  return sum + product;
}

static void read_shape(const atl_table_scope_t *scope, const char *text, atl_table_entry_t *entry) {
  while (*text != '\0') {
    ATL_ASSERT(entry->n_dims < ATL_TABLE_DIMS);
    entry->shape[entry->n_dims++] = read_size(scope, &text);
    text += *text == ',';
  }
}

static float find_spread(const atl_table_scope_t *scope, const atl_init_t *init) {
  if (init->kind == ATL_INIT_GIVEN) return (float)scope->constant;
  if (init->kind != ATL_INIT_UNIFORM && init->kind != ATL_INIT_NORMAL) return 0;
  const char *over = init->over;
  return (float)sqrt((double)init->times / (double)read_size(scope, &over));
}

/* ---- walking ---- */

typedef atl_status_t (*visit_t)(void *context, const atl_table_entry_t *entry);

static atl_table_entry_t entry_of(const atl_table_t *table, const atl_table_part_t *part, int32_t i_item,
                                  const atl_table_row_t *row, const atl_table_scope_t *scope) {
  atl_table_entry_t entry = {.kind = row->kind,
                             .init = row->init.kind,
                             .spread = find_spread(scope, &row->init),
                             .decays = (table->decays >> row->kind & 1) != 0,
                             .array = part->array,
                             .offset = row->offset};
  if (part->array != NULL) entry.offset += (size_t)i_item * part->array->item_bytes;
  const char *dot = scope->prefix[0] != '\0' ? "." : "";
  int n = snprintf(entry.name, sizeof entry.name, "%s%s%s", scope->prefix, dot, row->name);
  ATL_ASSERT(n > 0 && (size_t)n < sizeof entry.name);
  read_shape(scope, row->shape, &entry);
  return entry;
}

static atl_status_t walk_item(const atl_table_t *table, const atl_table_part_t *part, const void *config,
                              int32_t i_item, visit_t visit, void *context) {
  atl_table_scope_t scope = {0};
  table->describe(config, i_item, &scope);
  if (part->describe != NULL) part->describe(config, i_item, &scope);
  for (size_t i = 0; i < part->n_rows; i++) {
    if ((part->rows[i].needs & ~scope.has) != 0) continue;
    atl_table_entry_t entry = entry_of(table, part, i_item, &part->rows[i], &scope);
    ATL_TRY(visit(context, &entry));
  }
  return ATL_OK;
}

static atl_status_t walk(const atl_table_t *table, const void *config, visit_t visit, void *context) {
  for (size_t first = 0, end; first < table->n_parts; first = end) {
    const atl_table_array_t *array = table->parts[first].array;
    end = first + 1;
    while (array != NULL && end < table->n_parts && table->parts[end].array == array) end++;
    int32_t n_items = array != NULL ? array->count(config) : 1;
    for (int32_t i = 0; i < n_items; i++)
      for (size_t p = first; p < end; p++) ATL_TRY(walk_item(table, &table->parts[p], config, i, visit, context));
  }
  return ATL_OK;
}

static atl_status_t add_to_list(void *context, const atl_table_entry_t *entry) {
  atl_table_list_t *list = context;
  if (list->n == list->capacity) {
    size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
    ATL_TRY(ATL_RESIZE(capacity, &list->items));
    list->capacity = capacity;
  }
  list->items[list->n++] = *entry;
  return ATL_OK;
}

atl_status_t atl_table_list(const atl_table_t *table, const void *config, atl_table_list_t *list) {
  return walk(table, config, add_to_list, list);
}

typedef struct {
  const char *prefix;
  uint32_t kinds;
  int64_t (*measure)(const atl_table_entry_t *entry, const void *context);
  const void *context;
  int64_t sum;
} sum_t;

static atl_status_t add_to_sum(void *context, const atl_table_entry_t *entry) {
  sum_t *sum = context;
  if ((sum->kinds >> entry->kind & 1) == 0 || strncmp(entry->name, sum->prefix, strlen(sum->prefix)) != 0)
    return ATL_OK;
  sum->sum += sum->measure != NULL ? sum->measure(entry, sum->context) : (int64_t)atl_table_n_items(entry);
  return ATL_OK;
}

int64_t atl_table_n_parameters(const atl_table_t *table, const void *config, const char *prefix, uint32_t kinds) {
  sum_t sum = {.prefix = prefix, .kinds = kinds};
  ATL_ASSERT(walk(table, config, add_to_sum, &sum) == ATL_OK);
  return sum.sum;
}

int64_t atl_table_sum(const atl_table_t *table, const void *config, uint32_t kinds,
                      int64_t (*measure)(const atl_table_entry_t *entry, const void *context), const void *context) {
  sum_t sum = {.prefix = "", .kinds = kinds, .measure = measure, .context = context};
  ATL_ASSERT(walk(table, config, add_to_sum, &sum) == ATL_OK);
  return sum.sum;
}

void atl_table_clear_list(atl_table_list_t *list) {
  ATL_DESTROY(&list->items);
  *list = (atl_table_list_t){0};
}

size_t atl_table_n_items(const atl_table_entry_t *entry) {
  size_t n = 1;
  for (int i = 0; i < entry->n_dims; i++) n *= (size_t)entry->shape[i];
  return n;
}

/* ---- the weights struct ---- */

static void **array_of(const atl_table_array_t *array, void *weights) {
  return (void **)(void *)((char *)weights + array->offset);
}

atl_status_t atl_table_take_arrays(const atl_table_t *table, const void *config, atl_arena_t *arena, void *weights) {
  for (size_t i = 0; i < table->n_parts; i++) {
    const atl_table_array_t *array = table->parts[i].array;
    if (array == NULL || (i > 0 && table->parts[i - 1].array == array)) continue;
    ATL_TRY(atl_arena_take(arena, (size_t)array->count(config), array->item_bytes, array_of(array, weights)));
  }
  return ATL_OK;
}

atl_parameter_t *atl_table_place(const atl_table_entry_t *entry, void *weights) {
  char *base = entry->array != NULL ? *array_of(entry->array, weights) : weights;
  return (atl_parameter_t *)(void *)(base + entry->offset);
}
