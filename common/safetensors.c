/* The header is untrusted JSON whose integers address mapped memory. Before any view is handed out, each entry must lie
 * inside the data and be exactly as long as its shape says, and the sorted entries must not overlap. Names are looked
 * up in a hash table with open addressing, at most half full. */
#include "common/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/arena.h"
#include "common/file.h"

/* MAX_HEADER_BYTES is also the limit of the reference library. */
enum { LENGTH_BYTES = 8, ALIGNMENT = 64, MAX_HEADER_BYTES = 100000000, MAX_TENSORS = 1 << 24, PIECE_ITEMS = 1 << 16 };

struct atl_safetensors {
  atl_arena_t arena;
  atl_file_map_t map; /* empty when opened from bytes */
  json_t *header;     /* owns the names */
  char *path;
  const unsigned char *data;
  size_t data_bytes;
  atl_tensor_t *tensors; /* in file order */
  size_t n_tensors;
  uint32_t *table; /* (table_size): index + 1 of a tensor; 0: free */
  size_t table_size;
};

/* ---- reading ---- */

bool atl_safetensors_is_one(const void *bytes, size_t n_bytes) {
  const unsigned char *b = bytes;
  return n_bytes > LENGTH_BYTES && b[6] == 0 && b[7] == 0 && b[LENGTH_BYTES] == '{';
}

static atl_status_t read_offsets(const atl_safetensors_t *file, const char *name, const json_t *entry, size_t *begin,
                                 size_t *end) {
  const json_t *offsets = json_object_get(entry, "data_offsets");
  ATL_CHECK(json_is_array(offsets) && json_array_size(offsets) == 2 && json_is_integer(json_array_get(offsets, 0)) &&
                json_is_integer(json_array_get(offsets, 1)),
            INPUT, "%s: tensor %s: expected \"data_offsets\": [begin, end]; the file is corrupt", file->path, name);
  json_int_t first = json_integer_value(json_array_get(offsets, 0));
  json_int_t last = json_integer_value(json_array_get(offsets, 1));
  ATL_CHECK(first >= 0 && last >= first && (uint64_t)last <= file->data_bytes, INPUT,
            "%s: tensor %s: its bytes %" PRId64 "..%" PRId64
            " lie outside the %zu bytes of data; the file is truncated "
            "or corrupt",
            file->path, name, (int64_t)first, (int64_t)last, file->data_bytes);
  *begin = (size_t)first;
  *end = (size_t)last;
  return ATL_OK;
}

static atl_status_t read_shape(const atl_safetensors_t *file, const json_t *entry, atl_tensor_t *tensor) {
  const json_t *shape = json_object_get(entry, "shape"), *size;
  ATL_CHECK(json_is_array(shape) && json_array_size(shape) <= ATL_MAX_DIMS, INPUT,
            "%s: tensor %s: expected a \"shape\" of at most %d sizes; the file is corrupt or not for this program",
            file->path, tensor->name, ATL_MAX_DIMS);
  tensor->n_dims = (int)json_array_size(shape);
  size_t i;
  json_array_foreach(shape, i, size) {
    ATL_CHECK(json_is_integer(size) && json_integer_value(size) >= 0, INPUT,
              "%s: tensor %s: expected a shape of integers from 0; the file is corrupt", file->path, tensor->name);
    tensor->shape[i] = json_integer_value(size);
  }
  return ATL_OK;
}

static atl_status_t read_entry(const atl_safetensors_t *file, const char *name, const json_t *entry,
                               atl_tensor_t *tensor) {
  *tensor = (atl_tensor_t){.name = name};
  ATL_CHECK(json_is_object(entry), INPUT, "%s: tensor %s: expected an object; the file is corrupt", file->path, name);
  const json_t *dtype = json_object_get(entry, "dtype");
  const char *spelled = json_is_string(dtype) ? json_string_value(dtype) : "none";
  tensor->dtype = atl_dtype_find(spelled, strlen(spelled));
  ATL_CHECK(tensor->dtype != ATL_N_DTYPES, UNSUPPORTED, "%s: tensor %s: its dtype is %s, which atelier does not read",
            file->path, name, spelled);
  ATL_TRY(read_shape(file, entry, tensor));
  size_t begin = 0, end = 0, n_bytes;
  ATL_TRY(read_offsets(file, name, entry, &begin, &end));
  ATL_TRY(atl_tensor_n_bytes(tensor, &n_bytes));
  char text[128];
  ATL_CHECK(n_bytes == end - begin, INPUT, "%s: tensor %s: %s is %zu bytes, but the file gives it %zu; it is corrupt",
            file->path, name, atl_tensor_describe(tensor, text, sizeof text), n_bytes, end - begin);
  tensor->data = file->data + begin;
  return ATL_OK;
}

static int compare_offsets(const void *a, const void *b) {
  const atl_tensor_t *left = a, *right = b;
  uintptr_t x = (uintptr_t)left->data, y = (uintptr_t)right->data;
  if (x != y) return x < y ? -1 : 1;
  size_t n_left = 0, n_right = 0; /* an empty tensor sorts before the one that begins at the same offset */
  (void)atl_tensor_n_bytes(left, &n_left);
  (void)atl_tensor_n_bytes(right, &n_right);
  return n_left != n_right ? (n_left < n_right ? -1 : 1) : strcmp(left->name, right->name);
}

/* Tensors must fill the data without gaps, as the reference library requires, so that nothing can hide in between. */
static atl_status_t check_layout(const atl_safetensors_t *file) {
  const unsigned char *end = file->data;
  for (size_t i = 0; i < file->n_tensors; i++) {
    const atl_tensor_t *tensor = &file->tensors[i];
    size_t n_bytes;
    ATL_TRY(atl_tensor_n_bytes(tensor, &n_bytes));
    ATL_CHECK((const unsigned char *)tensor->data >= end, INPUT, "%s: tensors %s and %s overlap; the file is corrupt",
              file->path, file->tensors[i - 1].name, tensor->name);
    ATL_CHECK((const unsigned char *)tensor->data == end, INPUT,
              "%s: expected tensors without gaps, found %zu unused bytes before tensor %s", file->path,
              (size_t)((const unsigned char *)tensor->data - end), tensor->name);
    end = (const unsigned char *)tensor->data + n_bytes;
  }
  size_t n_after = (size_t)(file->data + file->data_bytes - end);
  ATL_CHECK(n_after == 0, INPUT, "%s: expected the file to end with its last tensor, found %zu bytes more", file->path,
            n_after);
  return ATL_OK;
}

static size_t slot_of(const atl_safetensors_t *file, const char *name) {
  size_t slot = XXH3_64bits(name, strlen(name)) & (file->table_size - 1);
  while (file->table[slot] != 0 && strcmp(file->tensors[file->table[slot] - 1].name, name) != 0)
    slot = (slot + 1) & (file->table_size - 1);
  return slot;
}

static atl_status_t fill_table(atl_safetensors_t *file) {
  for (file->table_size = 16; file->table_size < 2 * file->n_tensors;) file->table_size *= 2;
  ATL_TRY(ATL_TAKE(&file->arena, file->table_size, &file->table));
  for (size_t i = 0; i < file->n_tensors; i++) file->table[slot_of(file, file->tensors[i].name)] = (uint32_t)i + 1;
  return ATL_OK;
}

static atl_status_t check_metadata(const atl_safetensors_t *file) {
  json_t *metadata = json_object_get(file->header, "__metadata__"), *value;
  ATL_CHECK(metadata == NULL || json_is_object(metadata), INPUT,
            "%s: \"__metadata__\" should be an object; the file is corrupt", file->path);
  const char *key;
  json_object_foreach(metadata, key, value) ATL_CHECK(
      json_is_string(value), INPUT, "%s: metadata %s should be a string; the file is corrupt", file->path, key);
  return ATL_OK;
}

static atl_status_t read_header(atl_safetensors_t *file, const unsigned char *bytes, size_t n_bytes) {
  uint64_t header_bytes = 0;
  ATL_CHECK(n_bytes >= LENGTH_BYTES, INPUT, "%s: expected a safetensors file, found only %zu bytes", file->path,
            n_bytes);
  for (int i = 0; i < LENGTH_BYTES; i++) header_bytes |= (uint64_t)bytes[i] << (8 * i);
  ATL_CHECK(header_bytes <= n_bytes - LENGTH_BYTES, INPUT,
            "%s: expected a safetensors header of %" PRIu64 " bytes, found only %zu; the file is truncated or another "
            "format",
            file->path, header_bytes, n_bytes - LENGTH_BYTES);
  ATL_CHECK(header_bytes <= MAX_HEADER_BYTES, INPUT,
            "%s: expected a safetensors header of at most %d bytes, found %" PRIu64 "; the file is corrupt or hostile",
            file->path, MAX_HEADER_BYTES, header_bytes);
  ATL_TRY(atl_json_parse((const char *)bytes + LENGTH_BYTES, (size_t)header_bytes, file->path, &file->header));
  ATL_CHECK(json_is_object(file->header), INPUT, "%s: the safetensors header should be an object", file->path);
  file->data = bytes + LENGTH_BYTES + header_bytes;
  file->data_bytes = n_bytes - LENGTH_BYTES - (size_t)header_bytes;
  return check_metadata(file);
}

static atl_status_t read_all(atl_safetensors_t *file, const unsigned char *bytes, size_t n_bytes) {
  ATL_TRY(read_header(file, bytes, n_bytes));
  size_t n = json_object_size(file->header);
  ATL_CHECK(n <= MAX_TENSORS, INPUT, "%s: %zu tensors are more than atelier reads (%d)", file->path, n, MAX_TENSORS);
  ATL_TRY(ATL_TAKE(&file->arena, n, &file->tensors));
  const char *name;
  json_t *entry;
  json_object_foreach(file->header, name, entry) {
    if (strcmp(name, "__metadata__") == 0) continue;
    ATL_TRY(read_entry(file, name, entry, &file->tensors[file->n_tensors]));
    file->n_tensors++;
  }
  qsort(file->tensors, file->n_tensors, sizeof *file->tensors, compare_offsets);
  ATL_TRY(check_layout(file));
  return fill_table(file);
}

static atl_status_t open_bytes(const unsigned char *bytes, size_t n_bytes, const char *where, atl_file_map_t *map,
                               atl_safetensors_t **file) {
  *file = NULL;
  atl_safetensors_t *made;
  ATL_TRY(ATL_NEW(1, &made));
  atl_status_t status = atl_arena_strndup(&made->arena, where, strlen(where), &made->path);
  if (status == ATL_OK) status = read_all(made, bytes, n_bytes);
  if (status != ATL_OK) {
    atl_safetensors_destroy(&made);
    return status;
  }
  if (map != NULL) made->map = *map;
  *file = made;
  return ATL_OK;
}

atl_status_t atl_safetensors_open_bytes(const void *bytes, size_t n_bytes, const char *where,
                                        atl_safetensors_t **file) {
  return open_bytes(bytes, n_bytes, where, NULL, file);
}

atl_status_t atl_safetensors_open(const char *path, atl_safetensors_t **file) {
  *file = NULL;
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = open_bytes(map.bytes, map.n_bytes, path, &map, file);
  if (status != ATL_OK) atl_file_unmap(&map);
  return status;
}

void atl_safetensors_destroy(atl_safetensors_t **file) {
  if (file == NULL || *file == NULL) return;
  json_decref((*file)->header);
  atl_file_unmap(&(*file)->map);
  atl_arena_clear(&(*file)->arena);
  ATL_DESTROY(file);
}

void atl_safetensors_release(const atl_safetensors_t *file) { atl_file_release(&file->map); }

const char *atl_safetensors_path(const atl_safetensors_t *file) { return file->path; }

size_t atl_safetensors_n_tensors(const atl_safetensors_t *file) { return file->n_tensors; }

const atl_tensor_t *atl_safetensors_get(const atl_safetensors_t *file, size_t i_tensor) {
  ATL_ASSERT(i_tensor < file->n_tensors);
  return &file->tensors[i_tensor];
}

const atl_tensor_t *atl_safetensors_find(const atl_safetensors_t *file, const char *name) {
  uint32_t found = file->table[slot_of(file, name)];
  return found == 0 ? NULL : &file->tensors[found - 1];
}

const char *atl_safetensors_metadata(const atl_safetensors_t *file, const char *key) {
  return json_string_value(json_object_get(atl_safetensors_all_metadata(file), key));
}

const json_t *atl_safetensors_all_metadata(const atl_safetensors_t *file) {
  return json_object_get(file->header, "__metadata__");
}

/* ---- writing ---- */

/* The tensors to write, and the dtype each is stored as (NULL: its own). */
typedef struct {
  const atl_tensor_t *tensors;
  const atl_dtype_t *stored;
  size_t n_tensors;
} content_t;

static atl_dtype_t dtype_of(const content_t *content, size_t i) {
  return content->stored == NULL ? content->tensors[i].dtype : content->stored[i];
}

static atl_status_t add_entry(json_t *header, const atl_tensor_t *tensor, atl_dtype_t dtype, size_t *offset) {
  atl_tensor_t stored = *tensor;
  stored.dtype = dtype;
  size_t n_bytes;
  ATL_TRY(atl_tensor_n_bytes(&stored, &n_bytes));
  ATL_CHECK(json_object_get(header, tensor->name) == NULL, INTERNAL, "two tensors are named %s", tensor->name);
  json_t *shape = json_array();
  for (int i = 0; i < tensor->n_dims; i++) json_array_append_new(shape, json_integer(tensor->shape[i]));
  json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", atl_dtype_name(dtype), "shape", shape, "data_offsets",
                            (json_int_t)*offset, (json_int_t)(*offset + n_bytes));
  ATL_CHECK(entry != NULL && json_object_set_new(header, tensor->name, entry) == 0, INPUT,
            "tensor %s: its name is not UTF-8 text", tensor->name);
  *offset += n_bytes;
  return ATL_OK;
}

static atl_status_t build_header(json_t *header, const content_t *content, const char *const (*metadata)[2],
                                 size_t n_metadata) {
  json_t *pairs = n_metadata == 0 ? NULL : json_object();
  if (pairs != NULL) json_object_set_new(header, "__metadata__", pairs);
  for (size_t i = 0; i < n_metadata; i++)
    ATL_CHECK(json_object_set_new(pairs, metadata[i][0], json_string(metadata[i][1])) == 0, INPUT,
              "metadata %s is not UTF-8 text", metadata[i][0]);
  size_t offset = 0;
  for (size_t i = 0; i < content->n_tensors; i++)
    ATL_TRY(add_entry(header, &content->tensors[i], dtype_of(content, i), &offset));
  return ATL_OK;
}

/* Writes the size, the text, and spaces so that the data begins at a multiple of 64. */
static atl_status_t write_header(atl_file_writer_t *writer, const char *text) {
  static const char spaces[ALIGNMENT + 1] = "                                                                ";
  size_t n = strlen(text), n_padding = (ALIGNMENT - (LENGTH_BYTES + n) % ALIGNMENT) % ALIGNMENT;
  unsigned char length[LENGTH_BYTES];
  for (int i = 0; i < LENGTH_BYTES; i++) length[i] = (unsigned char)((uint64_t)(n + n_padding) >> (8 * i));
  ATL_TRY(atl_file_append(writer, length, sizeof length));
  ATL_TRY(atl_file_append(writer, text, n));
  return atl_file_append(writer, spaces, n_padding);
}

static void convert(void *out, const float *values, size_t n, atl_dtype_t dtype) {
  if (dtype == ATL_F32) memcpy(out, values, n * sizeof *values);
  uint16_t *halves = out;
  for (size_t i = 0; i < n && dtype != ATL_F32; i++)
    halves[i] = dtype == ATL_BF16 ? atl_bf16_from_f32(values[i]) : atl_f16_from_f32(values[i]);
}

static atl_status_t write_tensor(atl_file_writer_t *writer, const atl_tensor_t *tensor, atl_dtype_t dtype,
                                 float (*piece)[2][PIECE_ITEMS]) {
  size_t n_items, n_bytes;
  ATL_TRY(atl_tensor_n_bytes(tensor, &n_bytes));
  ATL_TRY(atl_tensor_n_items(tensor, &n_items));
  if (dtype == tensor->dtype) return atl_file_append(writer, tensor->data, n_bytes);
  ATL_ASSERT(dtype == ATL_F32 || dtype == ATL_F16 || dtype == ATL_BF16);
  for (size_t done = 0, n; done < n_items; done += n) {
    n = n_items - done < PIECE_ITEMS ? n_items - done : PIECE_ITEMS;
    atl_tensor_get_f32(tensor, done, n, (*piece)[0]);
    convert((*piece)[1], (*piece)[0], n, dtype);
    ATL_TRY(atl_file_append(writer, (*piece)[1], n * atl_dtype_bytes(dtype)));
  }
  return ATL_OK;
}

static atl_status_t write_all(const char *path, const char *header, const content_t *content) {
  atl_file_writer_t writer;
  float(*piece)[2][PIECE_ITEMS];
  ATL_TRY(ATL_NEW(1, &piece));
  atl_status_t status = atl_file_create(path, &writer);
  if (status == ATL_OK) status = write_header(&writer, header);
  for (size_t i = 0; i < content->n_tensors && status == ATL_OK; i++)
    status = write_tensor(&writer, &content->tensors[i], dtype_of(content, i), piece);
  if (status == ATL_OK) status = atl_file_commit(&writer);
  if (status != ATL_OK) atl_file_abandon(&writer);
  ATL_DESTROY(&piece);
  return status;
}

atl_status_t atl_safetensors_save_as(const char *path, const atl_tensor_t *tensors, const atl_dtype_t *stored,
                                     size_t n_tensors, const char *const (*metadata)[2], size_t n_metadata) {
  const content_t content = {tensors, stored, n_tensors};
  json_t *header = json_object();
  atl_status_t status = build_header(header, &content, metadata, n_metadata);
  char *text = status == ATL_OK ? json_dumps(header, JSON_COMPACT) : NULL;
  if (status == ATL_OK)
    status = text != NULL ? write_all(path, text, &content) : ATL_FAIL(MEMORY, "%s: no memory for the header", path);
  free(text);
  json_decref(header);
  return status;
}

atl_status_t atl_safetensors_save(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                  const char *const (*metadata)[2], size_t n_metadata) {
  return atl_safetensors_save_as(path, tensors, NULL, n_tensors, metadata, n_metadata);
}
