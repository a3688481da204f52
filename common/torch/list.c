/* Two walks over the values: the first counts the tensors, the second fills the array. A shared value is visited once
 * for each place it appears in, so the number of steps is bounded. */
#include "common/torch/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_STEPS_PER_VALUE = 16, MIN_STEPS = 1024 };

typedef struct {
  atl_value_pool_t *pool;
  char path[1024];
  size_t n_path, n_steps_left;
  atl_tensor_t *tensors; /* NULL in the first walk */
  size_t n_tensors;
} walk_t;

static bool is_module_part(const atl_value_t *owner, const atl_value_t *key) {
  static const char *const parts[] = {"_parameters", "_buffers", "_modules"};
  if (owner->kind != ATL_VALUE_OBJECT || key->kind != ATL_VALUE_TEXT) return false;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (strcmp(key->text, parts[i]) == 0) return true;
  return false;
}

/* Appends the name of item i to the path: its key if that is a string or an integer, else its index. */
static atl_status_t push_name(walk_t *walk, const atl_value_t *owner, size_t i) {
  const atl_value_t *key = owner->keys == NULL ? NULL : owner->keys[i];
  if (key != NULL && is_module_part(owner, key)) return ATL_OK;
  char number[24];
  const char *name = number;
  int64_t index = key != NULL && key->kind == ATL_VALUE_INT ? key->integer : (int64_t)i;
  snprintf(number, sizeof number, "%" PRId64, index);
  if (key != NULL && key->kind == ATL_VALUE_TEXT) {
    name = key->text;
    ATL_CHECK(strlen(name) == key->n_bytes, INPUT, "%s: the name %s contains a NUL; the file is corrupt",
              walk->pool->where, name);
  }
  size_t room = sizeof walk->path - walk->n_path;
  int n = snprintf(walk->path + walk->n_path, room, "%s%s", walk->n_path == 0 ? "" : ".", name);
  ATL_CHECK(n >= 0 && (size_t)n < room, INPUT, "%s: the name of a tensor is longer than %zu bytes: %.64s...",
            walk->pool->where, sizeof walk->path - 1, walk->path);
  walk->n_path += (size_t)n;
  return ATL_OK;
}

static atl_status_t add_tensor(walk_t *walk, const atl_tensor_t *tensor) {
  if (walk->tensors != NULL) {
    char *name;
    ATL_TRY(atl_value_take_bytes(walk->pool, walk->n_path + 1, (void **)&name));
    memcpy(name, walk->path, walk->n_path);
    walk->tensors[walk->n_tensors] = *tensor;
    walk->tensors[walk->n_tensors].name = name;
  }
  walk->n_tensors++;
  return ATL_OK;
}

static atl_status_t visit(walk_t *walk, const atl_value_t *value, int depth) {
  ATL_CHECK(walk->n_steps_left-- > 0, INPUT,
            "%s: shared values unfold into far more than the file holds; it is hostile", walk->pool->where);
  if (value->kind == ATL_VALUE_TENSOR) return add_tensor(walk, &value->tensor);
  ATL_CHECK(value->n_items == 0 || depth < MAX_DEPTH, INPUT, "%s: tensors are nested deeper than %d levels at %.64s",
            walk->pool->where, MAX_DEPTH, walk->path);
  for (size_t i = 0; i < value->n_items; i++) {
    size_t n_path = walk->n_path;
    ATL_TRY(push_name(walk, value, i));
    ATL_TRY(visit(walk, value->items[i], depth + 1));
    walk->n_path = n_path;
    walk->path[n_path] = '\0';
  }
  return ATL_OK;
}

static atl_status_t start(walk_t *walk, const atl_value_t *value) {
  walk->n_path = walk->n_tensors = 0;
  walk->path[0] = '\0';
  walk->n_steps_left = MIN_STEPS + MAX_STEPS_PER_VALUE * walk->pool->n_values;
  return visit(walk, value, 0);
}

static int compare_names(const void *a, const void *b) {
  const atl_tensor_t *const *left = a, *const *right = b;
  return strcmp((*left)->name, (*right)->name);
}

static atl_status_t check_names(const walk_t *walk, const atl_tensor_t **sorted) {
  for (size_t i = 0; i < walk->n_tensors; i++) sorted[i] = &walk->tensors[i];
  qsort(sorted, walk->n_tensors, sizeof sorted[0], compare_names);
  for (size_t i = 1; i < walk->n_tensors; i++)
    ATL_CHECK(strcmp(sorted[i - 1]->name, sorted[i]->name) != 0, INPUT, "%s: two tensors are named %s",
              walk->pool->where, sorted[i]->name);
  return ATL_OK;
}

atl_status_t atl_torchlist_take(atl_value_pool_t *pool, const atl_value_t *value, atl_tensor_t **tensors,
                                size_t *n_tensors) {
  walk_t walk = {.pool = pool};
  ATL_TRY(start(&walk, value));
  *n_tensors = walk.n_tensors;
  *tensors = NULL;
  if (walk.n_tensors == 0) return ATL_OK;
  ATL_TRY(atl_value_take_bytes(pool, walk.n_tensors * sizeof **tensors, (void **)tensors));
  walk.tensors = *tensors;
  ATL_TRY(start(&walk, value));
  const atl_tensor_t **sorted;
  ATL_TRY(ATL_NEW(walk.n_tensors, &sorted));
  atl_status_t status = check_names(&walk, sorted);
  ATL_DESTROY(&sorted);
  ATL_TRY(status);
  return ATL_OK;
}
