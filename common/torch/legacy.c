/* Follows torch.serialization._legacy_load. The file lists each storage key once, but a pickle may refer to it many
 * times, so the references are sorted by key for binary search. */
#include "common/torch/legacy.h"

#include <stdlib.h>
#include <string.h>

#include "common/torch/globals.h"

enum { PROTOCOL_VERSION = 1001, COUNT_BYTES = 8 };

/* PROTO, then LONG1 of 0x1950a86a20f9469cfc6c; from pickle protocol 4 on with a FRAME between them. */
bool atl_torchlegacy_is_one(const unsigned char *bytes, size_t n_bytes) {
  static const unsigned char magic[] = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
  size_t at = 2, frame = 9;
  if (n_bytes < at + frame + sizeof magic || bytes[0] != 0x80) return false;
  if (bytes[at] == 0x95) at += frame;
  return memcmp(bytes + at, magic, sizeof magic) == 0;
}

typedef struct {
  const unsigned char *bytes;
  size_t n_bytes, at;
  atl_torchtensors_t *tensors;
} reader_t;

static atl_status_t read_pickle(reader_t *reader, atl_value_t **value) {
  atl_pickle_hooks_t hooks = atl_torchglobals_hooks(reader->tensors);
  size_t n_used;
  ATL_TRY(atl_pickle_load(reader->tensors->pool, reader->bytes + reader->at, reader->n_bytes - reader->at, &hooks,
                          &n_used, value));
  reader->at += n_used;
  return ATL_OK;
}

static atl_status_t read_preamble(reader_t *reader) {
  atl_value_t *magic, *protocol, *machine;
  const char *where = reader->tensors->pool->where;
  ATL_TRY(read_pickle(reader, &magic));
  ATL_TRY(read_pickle(reader, &protocol));
  ATL_CHECK(protocol->kind == ATL_VALUE_INT && protocol->integer == PROTOCOL_VERSION, UNSUPPORTED,
            "%s: a PyTorch file of an unknown protocol; expected %d", where, PROTOCOL_VERSION);
  ATL_TRY(read_pickle(reader, &machine));
  const atl_value_t *little = atl_value_find(machine, "little_endian");
  ATL_CHECK(little == NULL || little->kind != ATL_VALUE_BOOL || little->boolean, UNSUPPORTED,
            "%s: written on a big-endian machine; load and save it again on a little-endian one", where);
  return ATL_OK;
}

static int compare_keys(const void *a, const void *b) {
  const atl_torch_storage_t *const *left = a, *const *right = b;
  return strcmp((*left)->key, (*right)->key);
}

/* The first of n sorted storages whose key is not below `key`. */
static size_t lower_bound(atl_torch_storage_t *const *sorted, size_t n, const char *key) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (strcmp(sorted[middle]->key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static atl_status_t read_count(reader_t *reader, const char *key, uint64_t *count) {
  ATL_CHECK(reader->n_bytes - reader->at >= COUNT_BYTES, INPUT,
            "%s: the file ends before storage %s; it is truncated: download or copy it again",
            reader->tensors->pool->where, key);
  *count = 0;
  for (int i = 0; i < COUNT_BYTES; i++) *count |= (uint64_t)reader->bytes[reader->at + (size_t)i] << 8 * i;
  reader->at += COUNT_BYTES;
  return ATL_OK;
}

/* Reads a storage's count and items for all references to it, which must agree in dtype and count. */
static atl_status_t read_storage(reader_t *reader, const char *key, atl_torch_storage_t *const *sorted, size_t n) {
  size_t first = lower_bound(sorted, n, key);
  const char *where = reader->tensors->pool->where;
  ATL_CHECK(first < n && strcmp(sorted[first]->key, key) == 0 && sorted[first]->data == NULL, INPUT,
            "%s: storage %s is listed twice, or no tensor uses it; the file is corrupt", where, key);
  uint64_t count;
  ATL_TRY(read_count(reader, key, &count));
  size_t n_bytes = atl_torch_storage_bytes(sorted[first]);
  for (size_t i = first; i < n && strcmp(sorted[i]->key, key) == 0; i++) {
    ATL_CHECK(sorted[i]->n_items == count && sorted[i]->dtype == sorted[first]->dtype, INPUT,
              "%s: storage %s has %llu items where tensors expect %zu, or two dtypes; the file is corrupt", where, key,
              (unsigned long long)count, sorted[i]->n_items);
    sorted[i]->data = reader->bytes + reader->at;
    sorted[i]->data_bytes = n_bytes;
  }
  ATL_CHECK(n_bytes <= reader->n_bytes - reader->at, INPUT,
            "%s: storage %s has %zu bytes and the file ends after %zu; it is truncated: download or copy it again",
            where, key, n_bytes, reader->n_bytes - reader->at);
  reader->at += n_bytes;
  return ATL_OK;
}

static atl_status_t read_storages(reader_t *reader, const atl_value_t *keys, atl_torch_storage_t **sorted) {
  atl_torchtensors_t *tensors = reader->tensors;
  size_t n = tensors->n_storages;
  for (size_t i = 0; i < n; i++) sorted[i] = &tensors->storages[i];
  if (n > 0) qsort(sorted, n, sizeof sorted[0], compare_keys);
  for (size_t i = 0; i < keys->n_items; i++) {
    ATL_CHECK(keys->items[i]->kind == ATL_VALUE_TEXT, INPUT, "%s: a storage's key is not a string; the file is corrupt",
              tensors->pool->where);
    ATL_TRY(read_storage(reader, keys->items[i]->text, sorted, n));
  }
  for (size_t i = 0; i < n; i++)
    ATL_CHECK(sorted[i]->data != NULL, INPUT, "%s: storage %s is not in the file; it is corrupt", tensors->pool->where,
              sorted[i]->key);
  return ATL_OK;
}

atl_status_t atl_torchlegacy_load(const unsigned char *bytes, size_t n_bytes, atl_torchtensors_t *tensors,
                                  atl_value_t **root) {
  reader_t reader = {.bytes = bytes, .n_bytes = n_bytes, .tensors = tensors};
  atl_value_t *keys;
  ATL_TRY(read_preamble(&reader));
  ATL_TRY(read_pickle(&reader, root));
  ATL_TRY(read_pickle(&reader, &keys));
  ATL_CHECK(keys->kind == ATL_VALUE_LIST, INPUT, "%s: the list of storages is missing; the file is corrupt",
            tensors->pool->where);
  atl_torch_storage_t **sorted;
  ATL_TRY(ATL_NEW(tensors->n_storages, &sorted));
  atl_status_t status = read_storages(&reader, keys, sorted);
  ATL_DESTROY(&sorted);
  ATL_TRY(status);
  return ATL_OK;
}
