/* Opening detects the container, runs its pickle, finds the storages, binds the tensors and checks the values. Memory
 * budgets are proportional to the file's size, so a small hostile file cannot take much. */
#include "common/torch/torchfile.h"

#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/torch/globals.h"
#include "common/torch/legacy.h"
#include "common/torch/list.h"
#include "common/torch/zip.h"

/* An opcode of one byte can create a value (160 bytes) with slots on the stack and in an array (48 bytes at worst), and
 * a small file may consist of opcodes only. In a large file the pickle is small compared with the tensors. Expanded
 * tensors (stride 0: masks, position indices) are small in checkpoints. */
enum {
  SMALL_FILE_BYTES = 1 << 20,
  VALUE_BUDGET_PER_SMALL_BYTE = 256,
  VALUE_BUDGET_PER_BYTE = 32,
  VALUE_BUDGET_BASE = 1 << 16,
  COPY_BUDGET_PER_BYTE = 4,
  COPY_BUDGET_BASE = 1 << 24
};

struct atl_torchfile {
  atl_file_map_t map; /* empty when opened from bytes */
  atl_value_pool_t pool;
  atl_value_t *root;
};

static bool is_zip(const void *bytes, size_t n_bytes) { return n_bytes >= 4 && memcmp(bytes, "PK\3\4", 4) == 0; }

bool atl_torchfile_is_one(const void *bytes, size_t n_bytes) {
  return is_zip(bytes, n_bytes) || atl_torchlegacy_is_one(bytes, n_bytes);
}

static atl_status_t check_byte_order(atl_torchzip_t *zip, const char *where) {
  if (!atl_torchzip_has(zip, "byteorder")) return ATL_OK;
  const unsigned char *order;
  size_t n;
  ATL_TRY(atl_torchzip_get(zip, "byteorder", &order, &n));
  ATL_CHECK(n == 6 && memcmp(order, "little", 6) == 0, UNSUPPORTED,
            "%s: written on a big-endian machine; load and save it again on a little-endian one", where);
  return ATL_OK;
}

static atl_status_t find_storages(atl_torchzip_t *zip, atl_torchtensors_t *tensors) {
  for (size_t i = 0; i < tensors->n_storages; i++) {
    atl_torch_storage_t *storage = &tensors->storages[i];
    char name[256];
    int n = snprintf(name, sizeof name, "data/%s", storage->key);
    ATL_CHECK(n > 0 && (size_t)n < sizeof name, INPUT, "%s: a storage's key of %d bytes; the file is corrupt",
              tensors->pool->where, n);
    ATL_TRY(atl_torchzip_get(zip, name, &storage->data, &storage->data_bytes));
    size_t expected = atl_torch_storage_bytes(storage);
    ATL_CHECK(storage->data_bytes >= expected, INPUT, "%s: %s has %zu bytes, %zu expected; the file is corrupt",
              tensors->pool->where, name, storage->data_bytes, expected);
  }
  return ATL_OK;
}

static atl_status_t load_members(atl_torchzip_t *zip, atl_torchtensors_t *tensors, atl_value_t **root) {
  atl_pickle_hooks_t hooks = atl_torchglobals_hooks(tensors);
  const unsigned char *pickle;
  size_t n, n_used;
  ATL_TRY(check_byte_order(zip, tensors->pool->where));
  ATL_TRY(atl_torchzip_get(zip, "data.pkl", &pickle, &n));
  ATL_TRY(atl_pickle_load(tensors->pool, pickle, n, &hooks, &n_used, root));
  return find_storages(zip, tensors);
}

static atl_status_t load_zip(const unsigned char *bytes, size_t n_bytes, atl_torchtensors_t *tensors,
                             atl_value_t **root) {
  atl_torchzip_t *zip;
  ATL_TRY(atl_torchzip_open(bytes, n_bytes, tensors->pool->where, &tensors->pool->arena, &zip));
  atl_status_t status = load_members(zip, tensors, root);
  atl_torchzip_destroy(&zip);
  ATL_TRY(status);
  return ATL_OK;
}

static atl_status_t load_tensors(atl_torchfile_t *file, const unsigned char *bytes, size_t n_bytes,
                                 atl_torchtensors_t *tensors) {
  if (is_zip(bytes, n_bytes)) {
    ATL_TRY(load_zip(bytes, n_bytes, tensors, &file->root));
  } else {
    ATL_CHECK(atl_torchlegacy_is_one(bytes, n_bytes), INPUT,
              "%s: expected a file written by torch.save or torch.jit.save, found something else", file->pool.where);
    ATL_TRY(atl_torchlegacy_load(bytes, n_bytes, tensors, &file->root));
  }
  ATL_TRY(atl_torchtensors_bind(tensors));
  return atl_value_check(&file->pool, file->root);
}

static size_t budget(size_t n_bytes, size_t per_byte, size_t base) {
  size_t whole;
  return __builtin_mul_overflow(n_bytes, per_byte, &whole) || __builtin_add_overflow(whole, base, &whole) ? SIZE_MAX
                                                                                                          : whole;
}

static size_t value_budget(size_t n_bytes) {
  size_t n_small = n_bytes < SMALL_FILE_BYTES ? n_bytes : SMALL_FILE_BYTES;
  return budget(n_bytes - n_small, VALUE_BUDGET_PER_BYTE, VALUE_BUDGET_BASE + n_small * VALUE_BUDGET_PER_SMALL_BYTE);
}

static atl_status_t load(atl_torchfile_t *file, const unsigned char *bytes, size_t n_bytes, const char *where) {
  char *copy;
  ATL_TRY(atl_arena_strndup(&file->pool.arena, where, strlen(where), &copy));
  file->pool.where = copy;
  file->pool.budget_bytes = value_budget(n_bytes);
  atl_torchtensors_t tensors = {.pool = &file->pool,
                                .copy_budget_bytes = budget(n_bytes, COPY_BUDGET_PER_BYTE, COPY_BUDGET_BASE)};
  atl_status_t status = load_tensors(file, bytes, n_bytes, &tensors);
  atl_torchtensors_clear(&tensors);
  ATL_TRY(status);
  return ATL_OK;
}

atl_status_t atl_torchfile_open_bytes(const void *bytes, size_t n_bytes, const char *where, atl_torchfile_t **file) {
  ATL_TRY(ATL_NEW(1, file));
  atl_status_t status = load(*file, bytes, n_bytes, where);
  if (status != ATL_OK) atl_torchfile_destroy(file);
  ATL_TRY(status);
  return ATL_OK;
}

atl_status_t atl_torchfile_open(const char *path, atl_torchfile_t **file) {
  atl_file_map_t map;
  *file = NULL;
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = atl_torchfile_open_bytes(map.bytes, map.n_bytes, path, file);
  if (status != ATL_OK)
    atl_file_unmap(&map);
  else
    (*file)->map = map;
  ATL_TRY(status);
  return ATL_OK;
}

void atl_torchfile_destroy(atl_torchfile_t **file) {
  if (file == NULL || *file == NULL) return;
  atl_arena_clear(&(*file)->pool.arena);
  atl_file_unmap(&(*file)->map);
  ATL_DESTROY(file);
}

const atl_value_t *atl_torchfile_root(const atl_torchfile_t *file) { return file->root; }

atl_status_t atl_torchfile_list_tensors(atl_torchfile_t *file, const atl_value_t *value, atl_tensor_list_t *list) {
  atl_tensor_t *tensors;
  ATL_TRY(atl_torchlist_take(&file->pool, value, &tensors, &list->n_tensors));
  list->tensors = tensors;
  return ATL_OK;
}
