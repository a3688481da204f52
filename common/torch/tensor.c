/* A view is valid if its last item, offset + sum((size - 1) * stride), lies in its storage; torch has no negative
 * strides. */
#include "common/torch/tensor.h"

#include <string.h>

#include "common/torch/pickle.h"

static size_t item_bytes(const atl_torch_storage_t *storage) {
  return storage->dtype == ATL_N_DTYPES ? 1 : atl_dtype_bytes(storage->dtype);
}

size_t atl_torch_storage_bytes(const atl_torch_storage_t *storage) { return storage->n_items * item_bytes(storage); }

atl_status_t atl_torchtensors_add_storage(atl_torchtensors_t *tensors, const char *type_name, const char *key,
                                          atl_dtype_t dtype, int64_t n_items, atl_value_t **value) {
  atl_torch_storage_t storage = {.key = key, .dtype = dtype, .n_items = (size_t)n_items};
  ATL_CHECK(n_items >= 0 && (uint64_t)n_items <= SIZE_MAX / 16, INPUT,
            "%s: storage %s of %lld items is impossible; the file is corrupt", tensors->pool->where, key,
            (long long)n_items);
  if (tensors->n_storages == tensors->storages_capacity) {
    size_t capacity = tensors->n_storages == 0 ? 64 : 2 * tensors->n_storages;
    ATL_TRY(atl_value_charge(tensors->pool, (capacity - tensors->storages_capacity) * sizeof storage));
    ATL_TRY(ATL_RESIZE(capacity, &tensors->storages));
    tensors->storages_capacity = capacity;
  }
  ATL_TRY(atl_value_new(tensors->pool, ATL_VALUE_OBJECT, value));
  (*value)->text = type_name;
  (*value)->mark = ATL_PICKLE_STORAGE;
  (*value)->integer = (int64_t)tensors->n_storages;
  tensors->storages[tensors->n_storages++] = storage;
  return ATL_OK;
}

static atl_status_t read_sizes(const atl_torchtensors_t *tensors, const atl_value_t *tuple, int64_t *sizes) {
  bool is_sequence = tuple->kind == ATL_VALUE_TUPLE || tuple->kind == ATL_VALUE_LIST;
  ATL_CHECK(is_sequence, INPUT, "%s: a tensor's shape is not a tuple; the file is corrupt", tensors->pool->where);
  ATL_CHECK(tuple->n_items <= ATL_MAX_DIMS, UNSUPPORTED, "%s: a tensor of %zu dimensions; at most %d are read",
            tensors->pool->where, tuple->n_items, ATL_MAX_DIMS);
  for (size_t i = 0; i < tuple->n_items; i++) {
    ATL_CHECK(tuple->items[i]->kind == ATL_VALUE_INT && tuple->items[i]->integer >= 0, INPUT,
              "%s: a tensor's shape or strides are not all counts; the file is corrupt", tensors->pool->where);
    sizes[i] = tuple->items[i]->integer;
  }
  return ATL_OK;
}

atl_status_t atl_torchtensors_add_view(atl_torchtensors_t *tensors, const atl_value_t *storage, atl_dtype_t dtype,
                                       int64_t offset, const atl_value_t *sizes, const atl_value_t *strides,
                                       atl_value_t **value) {
  ATL_CHECK(storage->kind == ATL_VALUE_OBJECT && storage->mark == ATL_PICKLE_STORAGE && offset >= 0 &&
                sizes->n_items == strides->n_items,
            INPUT, "%s: a tensor without a storage, an offset or strides; the file is corrupt", tensors->pool->where);
  if (tensors->n_views == tensors->views_capacity) {
    size_t capacity = tensors->n_views == 0 ? 64 : 2 * tensors->n_views;
    ATL_TRY(atl_value_charge(tensors->pool, (capacity - tensors->views_capacity) * sizeof *tensors->views));
    ATL_TRY(ATL_RESIZE(capacity, &tensors->views));
    tensors->views_capacity = capacity;
  }
  ATL_TRY(atl_value_new(tensors->pool, ATL_VALUE_TENSOR, value));
  atl_torch_view_t view = {.value = *value, .i_storage = (size_t)storage->integer, .offset = (size_t)offset};
  ATL_TRY(read_sizes(tensors, sizes, (*value)->tensor.shape));
  ATL_TRY(read_sizes(tensors, strides, view.strides));
  (*value)->tensor.n_dims = (int)sizes->n_items;
  (*value)->tensor.dtype = dtype;
  tensors->views[tensors->n_views++] = view;
  return ATL_OK;
}

/* Row-major without gaps. The stride of a dimension of size 1 does not matter. */
static bool is_contiguous(const atl_torch_view_t *view) {
  const atl_tensor_t *tensor = &view->value->tensor;
  int64_t expected = 1;
  for (int i = tensor->n_dims - 1; i >= 0; i--) {
    if (tensor->shape[i] == 1) continue;
    if (view->strides[i] != expected) return false;
    expected *= tensor->shape[i];
  }
  return true;
}

/* The index of the last item of a non-empty view; false when it overflows. */
static bool last_item(const atl_torch_view_t *view, size_t *last) {
  const atl_tensor_t *tensor = &view->value->tensor;
  *last = view->offset;
  for (int i = 0; i < tensor->n_dims; i++) {
    size_t span;
    if (__builtin_mul_overflow((size_t)tensor->shape[i] - 1, (size_t)view->strides[i], &span) ||
        __builtin_add_overflow(*last, span, last))
      return false;
  }
  return true;
}

/* out(n_items), row-major, <- the strided items; `index` counts like an odometer. */
static void copy_strided(const atl_torch_view_t *view, const unsigned char *data, size_t n_items, unsigned char *out) {
  const atl_tensor_t *tensor = &view->value->tensor;
  size_t width = atl_dtype_bytes(tensor->dtype), at = view->offset;
  int64_t index[ATL_MAX_DIMS] = {0};
  for (size_t i = 0; i < n_items; i++) {
    memcpy(out + i * width, data + at * width, width);
    for (int d = tensor->n_dims - 1; d >= 0; d--) {
      at += (size_t)view->strides[d];
      if (++index[d] < tensor->shape[d]) break;
      at -= (size_t)(tensor->shape[d] * view->strides[d]);
      index[d] = 0;
    }
  }
}

static atl_status_t bind_view(atl_torchtensors_t *tensors, const atl_torch_view_t *view) {
  const atl_torch_storage_t *storage = &tensors->storages[view->i_storage];
  atl_tensor_t *tensor = &view->value->tensor;
  const char *where = tensors->pool->where;
  size_t n_items, n_bytes, last = 0, width = atl_dtype_bytes(tensor->dtype);
  tensor->name = storage->key; /* for messages */
  ATL_TRY(atl_tensor_n_items(tensor, &n_items));
  ATL_TRY(atl_tensor_n_bytes(tensor, &n_bytes));
  tensor->name = NULL;
  tensor->data = storage->data;
  if (n_items == 0) return ATL_OK;
  size_t storage_items = atl_torch_storage_bytes(storage) / width;
  ATL_CHECK(last_item(view, &last) && last < storage_items, INPUT,
            "%s: a tensor reaches item %zu of storage %s, which has %zu; the file is corrupt", where, last,
            storage->key, storage_items);
  if (is_contiguous(view)) {
    tensor->data = storage->data + view->offset * width;
    return ATL_OK;
  }
  ATL_CHECK(n_bytes <= tensors->copy_budget_bytes, INPUT,
            "%s: expanded tensors need far more memory than the file's size warrants; the file is corrupt or hostile",
            where);
  tensors->copy_budget_bytes -= n_bytes;
  unsigned char *copy;
  ATL_TRY(atl_arena_take(&tensors->pool->arena, n_bytes, 1, (void **)&copy));
  copy_strided(view, storage->data, n_items, copy);
  tensor->data = copy;
  return ATL_OK;
}

atl_status_t atl_torchtensors_bind(atl_torchtensors_t *tensors) {
  for (size_t i = 0; i < tensors->n_views; i++) ATL_TRY(bind_view(tensors, &tensors->views[i]));
  return ATL_OK;
}

void atl_torchtensors_clear(atl_torchtensors_t *tensors) {
  ATL_DESTROY(&tensors->storages);
  ATL_DESTROY(&tensors->views);
}
