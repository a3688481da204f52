/* jansson's error style stops here. Duplicate keys are rejected, as readers differ in which one counts. */
#include "common/json.h"

#include <stdlib.h>

#include "common/file.h"

/* jansson takes 15 to 30 bytes of memory per byte of the JSON that this program reads, but 70 for a list of "{},". */
enum {
  MAX_FILE_BYTES = 64 << 20,
  BUDGET_PER_SMALL_BYTE = 48,
  BUDGET_BASE = 1 << 16,
  BUDGET_PER_BYTE = 20,
  BUDGET_LARGE_BASE = 64 << 20
};

/* Bytes that jansson may still allocate in the current parse. Thread-local, as its allocation hooks take no context. */
static _Thread_local size_t budget_bytes = SIZE_MAX;
static _Thread_local bool budget_is_spent;

static void *allocate(size_t n) {
  if (budget_bytes == SIZE_MAX) return malloc(n);
  budget_is_spent = budget_is_spent || n > budget_bytes;
  if (budget_is_spent) return NULL;
  budget_bytes -= n;
  return malloc(n);
}

static size_t budget(size_t n) {
  size_t small = n < SIZE_MAX / 64 ? n * BUDGET_PER_SMALL_BYTE + BUDGET_BASE : SIZE_MAX - 1;
  size_t large = n < SIZE_MAX / 64 ? n * BUDGET_PER_BYTE + BUDGET_LARGE_BASE : SIZE_MAX - 1;
  return small < large ? small : large;
}

atl_status_t atl_json_parse(const char *text, size_t n, const char *where, json_t **root) {
  json_error_t error;
  json_set_alloc_funcs(allocate, free);
  budget_bytes = budget(n);
  budget_is_spent = false;
  *root = json_loadb(text == NULL ? "" : text, n, JSON_REJECT_DUPLICATES, &error);
  budget_bytes = SIZE_MAX;
  ATL_CHECK(*root != NULL || !budget_is_spent, INPUT,
            "%s: the JSON takes far more memory than its %zu bytes warrant; the file is corrupt or hostile", where, n);
  ATL_CHECK(*root != NULL, INPUT, "%s: expected JSON, found at line %d column %d: %s", where, error.line, error.column,
            error.text);
  return ATL_OK;
}

atl_status_t atl_json_load(const char *path, json_t **root) {
  *root = NULL;
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = map.n_bytes <= MAX_FILE_BYTES
                            ? atl_json_parse((const char *)map.bytes, map.n_bytes, path, root)
                            : ATL_FAIL(INPUT, "%s: expected JSON of at most %d MiB, found %zu bytes", path,
                                       MAX_FILE_BYTES >> 20, map.n_bytes);
  atl_file_unmap(&map);
  return status;
}

/* jansson keeps calling after a failure. The first failure counts; later calls do nothing, as it closed the file. */
typedef struct {
  atl_file_writer_t file;
  atl_status_t status;
} sink_t;

static int append(const char *text, size_t n, void *context) {
  sink_t *sink = context;
  if (sink->status == ATL_OK) sink->status = atl_file_append(&sink->file, text, n);
  return sink->status == ATL_OK ? 0 : -1;
}

atl_status_t atl_json_save(const json_t *root, const char *path) {
  sink_t sink = {.status = ATL_OK};
  ATL_TRY(atl_file_create(path, &sink.file));
  int failed = json_dump_callback(root, append, &sink, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
  ATL_TRY(sink.status);
  if (failed != 0) {
    atl_file_abandon(&sink.file);
    return ATL_FAIL(INTERNAL, "%s: this JSON value cannot be written", path);
  }
  ATL_TRY(atl_file_append(&sink.file, "\n", 1));
  ATL_TRY(atl_file_commit(&sink.file));
  return ATL_OK;
}

static const char *kind_of(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "a list";
  case JSON_STRING: return "a string";
  case JSON_INTEGER: return "an integer";
  case JSON_REAL: return "a number with a fraction";
  case JSON_TRUE:
  case JSON_FALSE: return "true or false";
  case JSON_NULL: break;
  }
  return "null";
}

static atl_status_t get(const json_t *object, const char *where, const char *name, const char *expected,
                        const json_t **value) {
  ATL_CHECK(json_is_object(object), INPUT, "%s: expected an object with the field \"%s\", found %s", where, name,
            object == NULL ? "nothing" : kind_of(object));
  *value = json_object_get(object, name);
  ATL_CHECK(*value != NULL, INPUT, "%s: the field \"%s\" (%s) is missing", where, name, expected);
  return ATL_OK;
}

atl_status_t atl_json_get_int(const json_t *object, const char *where, const char *name, int64_t min, int64_t max,
                              int64_t *value) {
  const json_t *item;
  ATL_TRY(get(object, where, name, "an integer", &item));
  ATL_CHECK(json_is_integer(item), INPUT, "%s: the field \"%s\" should be an integer, found %s", where, name,
            kind_of(item));
  *value = json_integer_value(item);
  ATL_CHECK(*value >= min && *value <= max, INPUT, "%s: the field \"%s\" should be from %lld to %lld, found %lld",
            where, name, (long long)min, (long long)max, (long long)*value);
  return ATL_OK;
}

atl_status_t atl_json_get_real(const json_t *object, const char *where, const char *name, double *value) {
  const json_t *item;
  ATL_TRY(get(object, where, name, "a number", &item));
  ATL_CHECK(json_is_number(item), INPUT, "%s: the field \"%s\" should be a number, found %s", where, name,
            kind_of(item));
  *value = json_number_value(item);
  return ATL_OK;
}

atl_status_t atl_json_get_bool(const json_t *object, const char *where, const char *name, bool *value) {
  const json_t *item;
  ATL_TRY(get(object, where, name, "true or false", &item));
  ATL_CHECK(json_is_boolean(item), INPUT, "%s: the field \"%s\" should be true or false, found %s", where, name,
            kind_of(item));
  *value = json_is_true(item);
  return ATL_OK;
}

atl_status_t atl_json_get_text(const json_t *object, const char *where, const char *name, const char **value) {
  const json_t *item;
  ATL_TRY(get(object, where, name, "a string", &item));
  ATL_CHECK(json_is_string(item), INPUT, "%s: the field \"%s\" should be a string, found %s", where, name,
            kind_of(item));
  *value = json_string_value(item);
  return ATL_OK;
}
