/* Files are untrusted: a pickle may reference one list a million times. At most MAX_VALUES values, nested at most
 * MAX_DEPTH deep, are copied into the report; a note marks where the count was reached. */
#include "coordinator/commands/inspection.h"

#include <string.h>

#include "common/file.h"
#include "common/torch/torchfile.h"
#include "model/checkpoint/import/checkpoint.h"
#include "model/tokenizer/tokenizer.h"

enum { MAX_VALUES = 20000, MAX_DEPTH = 32, PATH_BYTES = 4096 };

/* ---- tensors ---- */

/* Appends a tensor, named PART/NAME if part is not NULL, and adds it to the report's n_numbers and tensor_bytes. */
static atl_status_t add_tensor(json_t *report, const char *part, const atl_tensor_t *tensor) {
  size_t n_items, n_bytes;
  char name[PATH_BYTES];
  ATL_TRY(atl_tensor_n_items(tensor, &n_items));
  ATL_TRY(atl_tensor_n_bytes(tensor, &n_bytes));
  snprintf(name, sizeof name, "%s%s%s", part == NULL ? "" : part, part == NULL ? "" : "/", tensor->name);
  json_t *shape = json_array(), *text = json_string(name);
  for (int i = 0; i < tensor->n_dims; i++) json_array_append_new(shape, json_integer(tensor->shape[i]));
  if (text == NULL) text = json_string("(a name that is not UTF-8)");
  json_array_append_new(json_object_get(report, "tensors"),
                        json_pack("{s:o, s:s, s:o, s:I}", "name", text, "dtype", atl_dtype_name(tensor->dtype), "shape",
                                  shape, "bytes", (json_int_t)n_bytes));
  json_t *sums[2] = {json_object_get(report, "n_numbers"), json_object_get(report, "tensor_bytes")};
  json_integer_set(sums[0], json_integer_value(sums[0]) + (json_int_t)n_items);
  json_integer_set(sums[1], json_integer_value(sums[1]) + (json_int_t)n_bytes);
  return ATL_OK;
}

static void begin_tensors(json_t *report) {
  json_object_set_new(report, "tensors", json_array());
  json_object_set_new(report, "n_numbers", json_integer(0));
  json_object_set_new(report, "tensor_bytes", json_integer(0));
}

static atl_status_t add_safetensors(json_t *report, const char *part, const atl_safetensors_t *file) {
  for (size_t i = 0; i < atl_safetensors_n_tensors(file); i++)
    ATL_TRY(add_tensor(report, part, atl_safetensors_get(file, i)));
  return ATL_OK;
}

/* ---- PyTorch files ---- */

static json_t *value_to_json(const atl_value_t *value, int depth, int *n_left);

/* Is item i an attribute that every TorchScript module has and that says nothing about the model? */
static bool is_noise(const atl_value_t *value, size_t i) {
  const atl_value_t *key = value->kind == ATL_VALUE_OBJECT ? value->keys[i] : NULL;
  return key != NULL && key->kind == ATL_VALUE_TEXT &&
         (strcmp(key->text, "training") == 0 || strcmp(key->text, "_is_full_backward_hook") == 0);
}

static json_t *items_to_json(const atl_value_t *value, int depth, int *n_left) {
  bool is_object = value->kind == ATL_VALUE_OBJECT, has_keys = is_object || value->kind == ATL_VALUE_DICT;
  json_t *made = has_keys ? json_object() : json_array();
  if (is_object && (depth == 0 || value->n_items == 0)) json_object_set_new(made, "(class)", json_string(value->text));
  for (size_t i = 0; i < value->n_items; i++) {
    json_t *item = is_noise(value, i) ? NULL : value_to_json(value->items[i], depth + 1, n_left);
    if (item == NULL) continue;
    char number[32];
    const atl_value_t *key = has_keys ? value->keys[i] : NULL;
    snprintf(number, sizeof number, "%lld", key != NULL ? (long long)key->integer : 0);
    if (!has_keys)
      json_array_append_new(made, item);
    else if (json_object_set_new(made, key->kind == ATL_VALUE_TEXT ? key->text : number, item) != 0)
      json_object_set_new(made, "(a key that is not UTF-8)", json_null());
  }
  if (value->n_items == 0 || json_array_size(made) + json_object_size(made) > 0) return made;
  json_decref(made); /* it holds only tensors */
  return NULL;
}

/* NULL for tensors and for containers of tensors only: the table of tensors lists them. */
static json_t *value_to_json(const atl_value_t *value, int depth, int *n_left) {
  if (value->kind == ATL_VALUE_TENSOR) return NULL;
  if (depth > MAX_DEPTH || --*n_left < 0) return *n_left == -1 ? json_string("(more is left out)") : NULL;
  json_t *text;
  switch (value->kind) {
  case ATL_VALUE_NONE: return json_null();
  case ATL_VALUE_BOOL: return json_boolean(value->boolean);
  case ATL_VALUE_INT: return json_integer(value->integer);
  case ATL_VALUE_REAL: return (text = json_real(value->real)) != NULL ? text : json_string("not a finite number");
  case ATL_VALUE_TEXT: return (text = json_string(value->text)) != NULL ? text : json_string("(not UTF-8)");
  case ATL_VALUE_BYTES: return json_sprintf("(%zu bytes)", value->n_bytes);
  default: return items_to_json(value, depth, n_left);
  }
}

static atl_status_t read_torchfile(json_t *report, atl_torchfile_t *file) {
  const atl_value_t *root = atl_torchfile_root(file);
  int n_left = MAX_VALUES;
  json_t *values = value_to_json(root, 0, &n_left);
  if (values != NULL) json_object_set_new(report, "values", values);
  atl_tensor_list_t list;
  ATL_TRY(atl_torchfile_list_tensors(file, root, &list));
  begin_tensors(report);
  for (size_t i = 0; i < list.n_tensors; i++) ATL_TRY(add_tensor(report, NULL, &list.tensors[i]));
  return ATL_OK;
}

static atl_status_t inspect_torchfile(const char *path, json_t *report) {
  atl_torchfile_t *file;
  ATL_TRY(atl_torchfile_open(path, &file));
  json_object_set_new(report, "kind", json_string("PyTorch file"));
  atl_status_t status = read_torchfile(report, file);
  atl_torchfile_destroy(&file);
  return status;
}

/* ---- model directories ---- */

static atl_status_t verify_file(const char *directory, const char *name, const json_t *part) {
  const char *file = json_string_value(json_object_get(part, "file"));
  const char *wanted = json_string_value(json_object_get(part, "sha256"));
  char path[PATH_BYTES], found[65];
  atl_file_map_t map;
  ATL_CHECK(wanted != NULL, INPUT, "%s: model.json: expected a sha256 for the %s, found none; convert again to verify",
            directory, name);
  int n = snprintf(path, sizeof path, "%s/%s", directory, file);
  ATL_CHECK(file != NULL && n > 0 && (size_t)n < sizeof path, INPUT, "%s: model.json: expected a file name for the %s",
            directory, name);
  ATL_TRY(atl_file_map(path, &map));
  atl_file_sha256(map.bytes, map.n_bytes, found);
  atl_file_unmap(&map);
  ATL_CHECK(strcmp(wanted, found) == 0, INPUT,
            "%s: expected SHA-256 %s as in model.json, found %s: the file was changed or damaged; convert again", path,
            wanted, found);
  return ATL_OK;
}

/* Compares all hashes with model.json, then opens the directory as a checkpoint, which checks that every tensor has the
 * configured shape and only finite values. */
static atl_status_t verify_all(const char *directory, const json_t *root) {
  static const char *const names[] = {"transformer", "vae", "clip", "tokenizer", "clip_tokenizer"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const json_t *part = json_object_get(root, names[i]);
    if (json_is_object(part)) ATL_TRY(verify_file(directory, names[i], part));
  }
  atl_checkpoint_t *checkpoint;
  ATL_TRY(atl_checkpoint_open(directory, &checkpoint));
  atl_checkpoint_destroy(&checkpoint);
  return ATL_OK;
}

/* Adds the tensors of a part, and its number of parameters and bytes under "parts". file: NULL if there is no such
 * part. */
static atl_status_t add_part(json_t *report, const char *name, const atl_safetensors_t *file, const char *words) {
  if (file == NULL) return ATL_OK;
  const json_t *numbers = json_object_get(report, "n_numbers"), *bytes = json_object_get(report, "tensor_bytes");
  json_int_t n_before = json_integer_value(numbers), bytes_before = json_integer_value(bytes);
  ATL_TRY(add_safetensors(report, name, file));
  json_t *part = json_pack("{s:s, s:I, s:I}", "description", words, "n_numbers", json_integer_value(numbers) - n_before,
                           "bytes", json_integer_value(bytes) - bytes_before);
  json_object_set_new(json_object_get(report, "parts"), name, part);
  return ATL_OK;
}

static atl_status_t read_model(const atl_model_t *model, bool verify, json_t *report) {
  char words[1024], path[PATH_BYTES];
  json_t *root;
  snprintf(path, sizeof path, "%s/model.json", model->directory);
  ATL_TRY(atl_json_load(path, &root));
  json_object_set_new(report, "values", root);
  if (verify) ATL_TRY(verify_all(model->directory, root));
  if (verify) json_object_set_new(report, "verified", json_true());
  json_object_set_new(report, "parts", json_object());
  begin_tensors(report);
  atl_transformer_config_describe(&model->transformer_config, words, sizeof words);
  ATL_TRY(add_part(report, "transformer", model->transformer, words));
  atl_vae_config_describe(&model->vae_config, words, sizeof words);
  ATL_TRY(add_part(report, "vae", model->vae, words));
  atl_clip_config_describe(&model->clip_config, words, sizeof words);
  return add_part(report, "clip", model->clip, words);
}

static atl_status_t inspect_model(const char *path, bool verify, json_t *report) {
  atl_model_t *model;
  ATL_TRY(atl_model_open(path, &model));
  json_object_set_new(report, "kind", json_string("model directory"));
  atl_status_t status = read_model(model, verify, report);
  atl_model_destroy(&model);
  return status;
}

/* ---- other files ---- */

static atl_status_t inspect_safetensors(const char *path, json_t *report) {
  atl_safetensors_t *file;
  ATL_TRY(atl_safetensors_open(path, &file));
  json_object_set_new(report, "kind", json_string("safetensors file"));
  json_t *metadata = json_deep_copy(atl_safetensors_all_metadata(file));
  if (metadata != NULL) json_object_set_new(report, "values", metadata);
  begin_tensors(report);
  atl_status_t status = add_safetensors(report, NULL, file);
  atl_safetensors_destroy(&file);
  return status;
}

static atl_status_t inspect_tokenizer(const char *path, json_t *report) {
  atl_tokenizer_t *tokenizer;
  if (atl_tokenizer_open(path, &tokenizer) != ATL_OK)
    return ATL_FAIL(
        INPUT,
        "%s: expected a PyTorch file, a safetensors file, a tokenizer or a model directory, found none that "
        "atelier can read (as a tokenizer: %s)",
        path, atl_status_message());
  json_object_set_new(report, "kind", json_string("tokenizer"));
  json_object_set_new(report, "values", json_pack("{s:i}", "ids", (int)atl_tokenizer_n_ids(tokenizer)));
  atl_tokenizer_destroy(&tokenizer);
  return ATL_OK;
}

static atl_status_t inspect_file(const char *path, json_t *report) {
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  bool is_torchfile = atl_torchfile_is_one(map.bytes, map.n_bytes);
  bool is_safetensors = atl_safetensors_is_one(map.bytes, map.n_bytes);
  json_object_set_new(report, "bytes", json_integer((json_int_t)map.n_bytes));
  atl_file_unmap(&map);
  if (is_torchfile) return inspect_torchfile(path, report);
  return is_safetensors ? inspect_safetensors(path, report) : inspect_tokenizer(path, report);
}

atl_status_t atl_inspection_new(const char *path, bool verify, json_t **report) {
  *report = NULL;
  json_t *made = json_object();
  ATL_CHECK(made != NULL && json_object_set_new(made, "path", json_string(path)) == 0, INPUT,
            "expected a path in UTF-8, found %s", path);
  atl_status_t status = atl_file_is_directory(path) ? inspect_model(path, verify, made) : inspect_file(path, made);
  if (status != ATL_OK) {
    json_decref(made);
    return status;
  }
  json_object_set_new(made, "n_tensors", json_integer((json_int_t)json_array_size(json_object_get(made, "tensors"))));
  *report = made;
  return ATL_OK;
}
