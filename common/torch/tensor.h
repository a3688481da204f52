/* Torchtensor: the tensors that a torch pickle describes. While the pickle runs, storages (key, dtype, count) and views
 * of them (offset, shape, strides) are only recorded. Once the bytes of all storages are known, every view is checked
 * against its storage and becomes a tensor.
 *
 *     atl_torchtensors_t tensors = {.pool = &pool, .copy_budget_bytes = ...};
 *     ... atl_torchtensors_add_storage, atl_torchtensors_add_view while the pickle runs ...
 *     for each of tensors.storages: find its bytes, set data and data_bytes
 *     ATL_TRY(atl_torchtensors_bind(&tensors));
 *     atl_torchtensors_clear(&tensors);
 */
#ifndef ATL_COMMON_TORCH_TENSOR_H
#define ATL_COMMON_TORCH_TENSOR_H

#include "common/torch/value.h"

typedef struct {
  const char *key;   /* of its bytes in the file; borrowed from the pool */
  atl_dtype_t dtype; /* ATL_N_DTYPES: untyped; the items are bytes */
  size_t n_items;
  const unsigned char *data; /* borrowed; any alignment */
  size_t data_bytes;
} atl_torch_storage_t;

typedef struct {
  atl_value_t *value; /* the TENSOR that bind completes */
  size_t i_storage;
  size_t offset; /* in items, like strides */
  int64_t strides[ATL_MAX_DIMS];
} atl_torch_view_t;

typedef struct {
  atl_value_pool_t *pool;
  atl_torch_storage_t *storages;
  size_t n_storages, storages_capacity;
  atl_torch_view_t *views;
  size_t n_views, views_capacity;
  size_t copy_budget_bytes; /* bytes still available for copies of tensors that are not contiguous */
} atl_torchtensors_t;

/* Records a storage and creates the value that stands for it. INPUT when the count is impossible or the budget
 * spent. */
atl_status_t atl_torchtensors_add_storage(atl_torchtensors_t *tensors, const char *type_name, const char *key,
                                          atl_dtype_t dtype, int64_t n_items, atl_value_t **value);
/* Records a view and creates its TENSOR value. Sizes and strides are tuples of integers, in items of dtype. INPUT when
 * they are malformed; UNSUPPORTED for more than ATL_MAX_DIMS dimensions. */
atl_status_t atl_torchtensors_add_view(atl_torchtensors_t *tensors, const atl_value_t *storage, atl_dtype_t dtype,
                                       int64_t offset, const atl_value_t *sizes, const atl_value_t *strides,
                                       atl_value_t **value);
size_t atl_torch_storage_bytes(const atl_torch_storage_t *storage);
/* Completes all tensors: a contiguous one is a view of its storage, any other a copy owned by the pool. INPUT when a
 * view reaches outside its storage or the copies exceed their budget. */
atl_status_t atl_torchtensors_bind(atl_torchtensors_t *tensors);
void atl_torchtensors_clear(atl_torchtensors_t *tensors);

#endif
