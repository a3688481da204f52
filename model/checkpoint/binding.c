/* One loop over the table; everything that can be wrong with a tensor is said here, once, by name. */
#include "model/checkpoint/binding.h"

#include <math.h>
#include <stdint.h>

static atl_status_t check_shape(const atl_safetensors_t *file, const atl_tensor_t *tensor,
                                const atl_binding_t *wanted) {
  atl_tensor_t expected = {.dtype = ATL_F32, .n_dims = wanted->n_dims};
  for (int i = 0; i < wanted->n_dims; i++) expected.shape[i] = wanted->shape[i];
  char want[128], found[128];
  ATL_CHECK(atl_dtype_is_float(tensor->dtype) && atl_tensor_has_shape(tensor, wanted->n_dims, wanted->shape), INPUT,
            "%s: tensor %s: expected %s, found %s; the file does not fit its configuration", atl_safetensors_path(file),
            wanted->name, atl_tensor_describe(&expected, want, sizeof want),
            atl_tensor_describe(tensor, found, sizeof found));
  return ATL_OK;
}

static atl_status_t check_finite(const atl_safetensors_t *file, const char *name, const float *values, size_t n) {
  for (size_t i = 0; i < n; i++)
    ATL_CHECK(isfinite(values[i]), INPUT, "%s: tensor %s: item %zu is %g; weights must be finite numbers",
              atl_safetensors_path(file), name, i, (double)values[i]);
  return ATL_OK;
}

static atl_status_t bind_one(const atl_safetensors_t *file, atl_arena_t *arena, const atl_binding_t *wanted) {
  const atl_tensor_t *tensor = atl_safetensors_find(file, wanted->name);
  ATL_CHECK(tensor != NULL, INPUT, "%s: tensor %s is missing; convert the checkpoint again with atelier convert",
            atl_safetensors_path(file), wanted->name);
  ATL_TRY(check_shape(file, tensor, wanted));
  size_t n;
  ATL_TRY(atl_tensor_n_items(tensor, &n));
  if (tensor->dtype == ATL_F32 && (uintptr_t)tensor->data % sizeof(float) == 0) {
    *wanted->address = tensor->data;
  } else {
    float *copy;
    ATL_TRY(ATL_TAKE(arena, n, &copy));
    atl_tensor_get_f32(tensor, 0, n, copy);
    *wanted->address = copy;
  }
  return check_finite(file, wanted->name, *wanted->address, n);
}

atl_status_t atl_binding_bind(const atl_safetensors_t *file, atl_arena_t *arena, const atl_binding_t *table, size_t n) {
  atl_safetensors_release(file);
  for (size_t i = 0; i < n; i++) ATL_TRY(bind_one(file, arena, &table[i]));
  return ATL_OK;
}
