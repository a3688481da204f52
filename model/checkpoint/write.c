#include "model/checkpoint/write.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "model/checkpoint/replace.h"
#include "model/tokenizer/tokenizer.h"

static atl_status_t path_in(const char *folder, const char *name, char path[ATL_WRITE_PATH_BYTES]) {
  int n = snprintf(path, ATL_WRITE_PATH_BYTES, "%s/%s", folder, name);
  ATL_CHECK(n > 0 && n < ATL_WRITE_PATH_BYTES, INPUT, "%s: the path is too long", folder);
  return ATL_OK;
}

atl_status_t atl_write_start(const char *out, const char *name, atl_write_t *write) {
  *write = (atl_write_t){.out = out};
  int n = snprintf(write->folder, sizeof write->folder, "%s.tmp.%ld", out, (long)getpid());
  if (n <= 0 || n >= (int)sizeof write->folder) write->folder[0] = '\0';
  ATL_CHECK(write->folder[0] != '\0', INPUT, "%s: the path is too long", out);
  write->root = json_pack("{s:i, s:s}", "format", 1, "name", name);
  ATL_CHECK(write->root != NULL, INPUT, "the model's name is not UTF-8 text; try --name NAME");
  return atl_file_make_directory(write->folder);
}

/* The part's object in model.json, created on first use. Borrowed. */
static json_t *object_of(atl_write_t *write, const char *part) {
  json_t *object = json_object_get(write->root, part);
  if (object != NULL) return object;
  json_object_set_new(write->root, part, json_object());
  return json_object_get(write->root, part);
}

atl_status_t atl_write_set(atl_write_t *write, const char *part, const char *key, json_t *value) {
  json_t *object = key == NULL ? write->root : object_of(write, part);
  ATL_CHECK(json_object_set_new(object, key == NULL ? part : key, value) == 0, MEMORY,
            "out of memory while writing model.json");
  return ATL_OK;
}

/* Sets the name and digest of a file that has been written. */
static atl_status_t set_file(atl_write_t *write, const char *part, const char *name) {
  char path[ATL_WRITE_PATH_BYTES], digest[65];
  atl_file_map_t map;
  ATL_TRY(path_in(write->folder, name, path));
  ATL_TRY(atl_file_map(path, &map));
  atl_file_sha256(map.bytes, map.n_bytes, digest);
  atl_file_unmap(&map);
  ATL_TRY(atl_write_set(write, part, "file", json_string(name)));
  return atl_write_set(write, part, "sha256", json_string(digest));
}

/* ---- tensors ---- */

/* A matrix has at least two sizes above 1 and is no buffer. Scales, norms, biases, vectors and buffers such as the
 * rotary angles stay fp32: they are small, and precision matters. */
static bool is_matrix(const atl_table_entry_t *entry) {
  int n_wide = 0;
  for (int i = 0; i < entry->n_dims; i++) n_wide += entry->shape[i] > 1;
  return n_wide >= 2 && entry->kind != ATL_TENSOR_BUFFER;
}

/* The largest f16 is 65504; from 65520 on a weight would round to infinity. */
static atl_status_t check_fits(const char *path, const atl_tensor_t *tensor) {
  size_t n_items;
  ATL_TRY(atl_tensor_n_items(tensor, &n_items));
  for (size_t i = 0; i < n_items; i++) {
    float value;
    atl_tensor_get_f32(tensor, i, 1, &value);
    ATL_CHECK(value > -65520.0F && value < 65520.0F, INPUT,
              "%s: tensor %s: item %zu is %g, beyond the range of f16; try --storage bf16", path, tensor->name, i,
              (double)value);
  }
  return ATL_OK;
}

static atl_status_t choose_dtypes(const char *where, const atl_tensor_t *tensors, const atl_table_list_t *list,
                                  atl_dtype_t storage, atl_dtype_t *stored) {
  for (size_t i = 0; i < list->n; i++) {
    stored[i] = storage == ATL_N_DTYPES ? tensors[i].dtype : is_matrix(&list->items[i]) ? storage : ATL_F32;
    if (stored[i] == ATL_F16 && tensors[i].dtype != ATL_F16) ATL_TRY(check_fits(where, &tensors[i]));
  }
  return ATL_OK;
}

atl_status_t atl_write_tensors(atl_write_t *write, atl_part_t part, const char *where, const atl_tensor_t *tensors,
                               const atl_table_list_t *list, atl_dtype_t storage) {
  char name[64], path[ATL_WRITE_PATH_BYTES];
  atl_dtype_t *stored;
  snprintf(name, sizeof name, "%s.safetensors", atl_part_name(part));
  ATL_TRY(path_in(write->folder, name, path));
  ATL_TRY(ATL_NEW(list->n, &stored));
  atl_status_t status = choose_dtypes(where, tensors, list, storage, stored);
  if (status == ATL_OK) status = atl_safetensors_save_as(path, tensors, stored, list->n, NULL, 0);
  ATL_DESTROY(&stored);
  ATL_TRY(status);
  return set_file(write, atl_part_name(part), name);
}

/* ---- tokenizers ---- */

atl_status_t atl_write_check_tokenizer(const char *path, const char *network, int32_t n_known) {
  atl_tokenizer_t *tokenizer;
  ATL_TRY(atl_tokenizer_open(path, &tokenizer));
  int32_t n_ids = atl_tokenizer_n_ids(tokenizer);
  atl_tokenizer_destroy(&tokenizer);
  ATL_CHECK(n_ids <= n_known, INPUT,
            "%s: the tokenizer has %d ids but the %s knows only %d; it belongs to another model", path, n_ids, network,
            n_known);
  return ATL_OK;
}

/* The suffix follows from the contents, not from the old name: JSON, gzip, or plain merges. */
static const char *tokenizer_suffix(const atl_file_map_t *map) {
  size_t i = 0;
  while (i < map->n_bytes && isspace(map->bytes[i])) i++;
  if (i < map->n_bytes && map->bytes[i] == '{') return "json";
  return map->n_bytes >= 2 && map->bytes[0] == 0x1f && map->bytes[1] == 0x8b ? "bpe.txt.gz" : "bpe.txt";
}

atl_status_t atl_write_tokenizer(atl_write_t *write, const char *part, const char *from) {
  atl_file_map_t map;
  char name[64], path[ATL_WRITE_PATH_BYTES];
  ATL_TRY(atl_file_map(from, &map));
  snprintf(name, sizeof name, "%s.%s", part, tokenizer_suffix(&map));
  atl_status_t status = path_in(write->folder, name, path);
  if (status == ATL_OK) status = atl_file_write(path, map.bytes, map.n_bytes);
  atl_file_unmap(&map);
  ATL_TRY(status);
  return set_file(write, part, name);
}

/* ---- the end ---- */

static atl_status_t finish(const atl_write_t *write) {
  char path[ATL_WRITE_PATH_BYTES];
  ATL_TRY(path_in(write->folder, "model.json", path));
  ATL_TRY(atl_json_save(write->root, path));
  return atl_replace_run(write->folder, write->out);
}

atl_status_t atl_write_end(atl_write_t *write, atl_status_t status) {
  if (status == ATL_OK) status = finish(write);
  json_decref(write->root);
  if (status == ATL_OK || write->folder[0] == '\0') return status;
  char reason[1024]; /* kept, because cleaning up may set another message */
  snprintf(reason, sizeof reason, "%s", atl_status_message());
  (void)atl_file_remove_directory(write->folder);
  return atl_status_fail(status, __FILE__, __LINE__, __func__, "%s", reason);
}
