/* Arrays of items have capacities 4, 8, 16, ..., so the capacity follows from the count. */
#include "common/torch/value.h"

#include <string.h>

enum { N_VALUES_AT_ONCE = 64, MIN_CAPACITY = 4, IN_PROGRESS = UINT16_MAX };

const atl_value_t *atl_value_find(const atl_value_t *value, const char *key) {
  if (value == NULL || (value->kind != ATL_VALUE_DICT && value->kind != ATL_VALUE_OBJECT)) return NULL;
  size_t n = strlen(key);
  for (size_t i = value->n_items; i-- > 0;) {
    const atl_value_t *found = value->keys[i];
    if (found->kind == ATL_VALUE_TEXT && found->n_bytes == n && memcmp(found->text, key, n) == 0)
      return value->items[i];
  }
  return NULL;
}

atl_status_t atl_value_charge(atl_value_pool_t *pool, size_t n_bytes) {
  ATL_CHECK(n_bytes <= pool->budget_bytes, INPUT,
            "%s: the pickle builds far more data than its size warrants; the file is corrupt or hostile", pool->where);
  pool->budget_bytes -= n_bytes;
  return ATL_OK;
}

atl_status_t atl_value_take_bytes(atl_value_pool_t *pool, size_t n_bytes, void **block) {
  ATL_TRY(atl_value_charge(pool, n_bytes));
  return atl_arena_take(&pool->arena, n_bytes, 1, block);
}

atl_status_t atl_value_new(atl_value_pool_t *pool, atl_value_kind_t kind, atl_value_t **value) {
  ATL_TRY(atl_value_charge(pool, sizeof **value));
  if (pool->n_spare == 0) {
    ATL_TRY(ATL_TAKE(&pool->arena, N_VALUES_AT_ONCE, &pool->spare));
    pool->n_spare = N_VALUES_AT_ONCE;
  }
  *value = pool->spare++;
  pool->n_spare--;
  pool->n_values++;
  (*value)->kind = kind;
  return ATL_OK;
}

atl_status_t atl_value_new_text(atl_value_pool_t *pool, atl_value_kind_t kind, const void *text, size_t n,
                                atl_value_t **value) {
  char *copy;
  ATL_TRY(atl_value_take_bytes(pool, n + 1, (void **)&copy));
  memcpy(copy, text, n);
  ATL_TRY(atl_value_new(pool, kind, value));
  (*value)->text = copy;
  (*value)->n_bytes = n;
  return ATL_OK;
}

/* Appends a pointer to an array of n, growing it if needed. The array belongs to the value; only readers see it
 * const. */
static atl_status_t add_pointer(atl_value_pool_t *pool, const atl_value_t *const **array, size_t n,
                                const atl_value_t *pointer) {
  bool is_full = n == 0 || (n >= MIN_CAPACITY && (n & (n - 1)) == 0);
  if (is_full) {
    const atl_value_t **grown;
    size_t capacity = n == 0 ? MIN_CAPACITY : 2 * n;
    ATL_TRY(atl_value_take_bytes(pool, capacity * sizeof *grown, (void **)&grown));
    if (n > 0) memcpy(grown, *array, n * sizeof *grown);
    *array = grown;
  }
  ((const atl_value_t **)*array)[n] = pointer;
  return ATL_OK;
}

atl_status_t atl_value_append(atl_value_pool_t *pool, atl_value_t *value, const atl_value_t *item) {
  ATL_TRY(add_pointer(pool, &value->items, value->n_items, item));
  value->n_items++;
  return ATL_OK;
}

atl_status_t atl_value_put(atl_value_pool_t *pool, atl_value_t *value, const atl_value_t *key,
                           const atl_value_t *item) {
  ATL_TRY(add_pointer(pool, &value->keys, value->n_items, key));
  return atl_value_append(pool, value, item);
}

static atl_status_t measure(atl_value_pool_t *pool, atl_value_t *value, unsigned depth);

/* Measures a child and raises *height, its parent's, to at least one more. */
static atl_status_t measure_child(atl_value_pool_t *pool, const atl_value_t *child, unsigned depth, unsigned *height) {
  ATL_TRY(measure(pool, (atl_value_t *)child, depth + 1));
  if (child->height >= *height) *height = child->height + 1u;
  return ATL_OK;
}

/* Heights are stored, so a value shared a million times is walked once. Recursion stops at ATL_VALUE_MAX_DEPTH. */
static atl_status_t measure(atl_value_pool_t *pool, atl_value_t *value, unsigned depth) {
  ATL_CHECK(value->height != IN_PROGRESS, INPUT, "%s: a list or dictionary contains itself; expected plain data",
            pool->where);
  unsigned levels = value->height == 0 ? 1 : value->height;
  ATL_CHECK(depth + levels <= ATL_VALUE_MAX_DEPTH, INPUT,
            "%s: data is nested deeper than %d levels; expected plain data", pool->where, ATL_VALUE_MAX_DEPTH);
  if (value->height != 0) return ATL_OK;
  unsigned height = 1;
  value->height = IN_PROGRESS;
  for (size_t i = 0; i < value->n_items; i++) {
    if (value->keys != NULL) ATL_TRY(measure_child(pool, value->keys[i], depth, &height));
    ATL_TRY(measure_child(pool, value->items[i], depth, &height));
  }
  value->height = (uint16_t)height;
  return ATL_OK;
}

atl_status_t atl_value_check(atl_value_pool_t *pool, const atl_value_t *root) {
  return measure(pool, (atl_value_t *)root, 0);
}
