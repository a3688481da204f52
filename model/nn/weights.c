/* One loop over the table binds all tensors. Every error about a tensor is reported here, with its name. */
#include "model/nn/weights.h"

#include <math.h>
#include <stdint.h>

atl_status_t atl_weights_open(const atl_table_t *table, const void *config, const atl_safetensors_t *file,
                              void *tensors, atl_weights_t *weights) {
  *weights = (atl_weights_t){.table = table, .file = file, .tensors = tensors};
  ATL_TRY(atl_table_take_arrays(table, config, &weights->arrays, tensors));
  return atl_table_list(table, config, &weights->list);
}

void atl_weights_close(atl_weights_t *weights) {
  atl_table_clear_list(&weights->list);
  atl_arena_clear(&weights->arrays);
}

static atl_status_t check_shape(const atl_safetensors_t *file, const atl_tensor_t *tensor,
                                const atl_table_entry_t *wanted) {
  atl_tensor_t expected = {.dtype = ATL_F32, .n_dims = wanted->n_dims};
  for (int i = 0; i < wanted->n_dims; i++) expected.shape[i] = wanted->shape[i];
  char want[128], found[128];
  ATL_CHECK(atl_dtype_is_float(tensor->dtype) && atl_tensor_has_shape(tensor, wanted->n_dims, wanted->shape), INPUT,
            "%s: tensor %s: expected %s, found %s; the file does not fit its configuration", atl_safetensors_path(file),
            tensor->name, atl_tensor_describe(&expected, want, sizeof want),
            atl_tensor_describe(tensor, found, sizeof found));
  return ATL_OK;
}

static atl_status_t check_finite(const atl_safetensors_t *file, const char *name, const float *values, size_t n) {
  for (size_t i = 0; i < n; i++)
    ATL_CHECK(isfinite(values[i]), INPUT, "%s: tensor %s: item %zu is %g; weights must be finite numbers",
              atl_safetensors_path(file), name, i, (double)values[i]);
  return ATL_OK;
}

static const atl_tensor_t *find(const atl_weights_t *weights, const char *name) {
  const atl_tensor_t *tensor = atl_safetensors_find(weights->file, name);
  if (tensor != NULL || weights->table->find == NULL) return tensor;
  return weights->table->find(weights->file, name);
}

static atl_status_t bind_one(const atl_weights_t *weights, atl_arena_t *arena, const atl_table_entry_t *wanted,
                             atl_parameter_t *parameter) {
  const atl_tensor_t *tensor = find(weights, wanted->name);
  ATL_CHECK(tensor != NULL, INPUT, "%s: tensor %s is missing; convert the checkpoint again with atelier convert",
            atl_safetensors_path(weights->file), wanted->name);
  ATL_TRY(check_shape(weights->file, tensor, wanted));
  size_t n;
  ATL_TRY(atl_tensor_n_items(tensor, &n));
  if (tensor->dtype == ATL_F32 && (uintptr_t)tensor->data % sizeof(float) == 0) {
    parameter->value = tensor->data;
  } else {
    float *copy;
    ATL_TRY(ATL_TAKE(arena, n, &copy));
    atl_tensor_get_f32(tensor, 0, n, copy);
    parameter->value = copy;
  }
  return check_finite(weights->file, tensor->name, parameter->value, n);
}

atl_status_t atl_weights_bind(const atl_weights_t *weights, atl_arena_t *arena, const void *part, size_t n_bytes) {
  uintptr_t first = (uintptr_t)part;
  atl_safetensors_release(weights->file);
  for (size_t i = 0; i < weights->list.n; i++) {
    atl_parameter_t *parameter = atl_table_place(&weights->list.items[i], weights->tensors);
    if ((uintptr_t)parameter >= first && (uintptr_t)parameter < first + n_bytes)
      ATL_TRY(bind_one(weights, arena, &weights->list.items[i], parameter));
  }
  return ATL_OK;
}

const char *atl_weights_name_of(const atl_weights_t *weights, const atl_parameter_t *parameter) {
  for (size_t i = 0; i < weights->list.n; i++)
    if (atl_table_place(&weights->list.items[i], weights->tensors) == parameter) return weights->list.items[i].name;
  return "";
}
