/* model.json holds each part's file and configuration. File names must be plain, so that a model directory cannot refer
 * to files outside it. Tensor files are mapped but not hashed; `atelier inspect --verify` hashes them. */
#include "model/checkpoint/model.h"

#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"

enum { FORMAT = 1, PATH_BYTES = 4096, MAX_JSON_BYTES = 16 << 20 };

static atl_status_t join(const char *where, const char *directory, const json_t *part, char path[PATH_BYTES]) {
  const char *name;
  ATL_TRY(atl_json_get_text(part, where, "file", &name));
  ATL_CHECK(*name != '\0' && *name != '.' && strchr(name, '/') == NULL, INPUT,
            "%s: \"file\" should be the plain name of a file in the model directory, found \"%s\"", where, name);
  int n = snprintf(path, PATH_BYTES, "%s/%s", directory, name);
  ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path of %s is too long", where, name);
  return ATL_OK;
}

/* The part's object, or NULL when model.json has none. */
static atl_status_t find_part(const json_t *root, const char *where, const char *name, const json_t **part) {
  *part = json_object_get(root, name);
  if (json_is_null(*part)) *part = NULL;
  ATL_CHECK(*part == NULL || json_is_object(*part), INPUT, "%s: \"%s\" should be an object", where, name);
  return ATL_OK;
}

static atl_status_t open_tensors(const json_t *part, const char *where, const char *directory,
                                 atl_safetensors_t **file) {
  char path[PATH_BYTES];
  ATL_TRY(join(where, directory, part, path));
  return atl_safetensors_open(path, file);
}

static atl_status_t open_networks(const json_t *root, const char *where, atl_model_t *model) {
  const json_t *part;
  ATL_TRY(find_part(root, where, "transformer", &part));
  if (part != NULL) {
    const json_t *config = json_object_get(part, "config");
    ATL_TRY(atl_transformer_config_from_json(config, where, &model->transformer_config));
    ATL_TRY(open_tensors(part, where, model->directory, &model->transformer));
  }
  ATL_TRY(find_part(root, where, "vae", &part));
  if (part != NULL) {
    ATL_TRY(atl_vae_config_from_json(json_object_get(part, "config"), where, &model->vae_config));
    ATL_TRY(open_tensors(part, where, model->directory, &model->vae));
  }
  ATL_TRY(find_part(root, where, "clip", &part));
  if (part != NULL) {
    ATL_TRY(atl_clip_config_from_json(json_object_get(part, "config"), where, &model->clip_config));
    ATL_TRY(open_tensors(part, where, model->directory, &model->clip));
  }
  model->has_transformer = model->transformer != NULL;
  model->has_vae = model->vae != NULL;
  model->has_clip = model->clip != NULL;
  return ATL_OK;
}

static atl_status_t find_tokenizer(const json_t *root, const char *where, const char *name, const char *directory,
                                   char **path) {
  const json_t *part;
  ATL_TRY(find_part(root, where, name, &part));
  if (part == NULL) return ATL_OK;
  char joined[PATH_BYTES];
  ATL_TRY(join(where, directory, part, joined));
  ATL_CHECK(atl_file_exists(joined), INPUT, "%s: the tokenizer %s is missing; convert again with --tokenizer FILE",
            where, joined);
  return atl_memory_strdup(joined, path);
}

atl_status_t atl_model_check(const atl_transformer_config_t *transformer, const atl_vae_config_t *vae,
                             const char *where) {
  int32_t side = vae->image_size >> vae->n_layers;
  ATL_CHECK(transformer->n_image_tokens == vae->n_tokens, INPUT,
            "%s: the transformer draws %d image tokens but the dVAE has %d; they were not trained together", where,
            transformer->n_image_tokens, vae->n_tokens);
  ATL_CHECK(transformer->image_side == side, INPUT,
            "%s: the transformer draws %dx%d tokens but the dVAE decodes %dx%d; they were not trained together", where,
            transformer->image_side, transformer->image_side, side, side);
  return ATL_OK;
}

static atl_status_t read_json(const json_t *root, const char *where, atl_model_t *model) {
  int64_t format;
  const char *name;
  ATL_TRY(atl_json_get_int(root, where, "format", FORMAT, FORMAT, &format));
  ATL_TRY(atl_json_get_text(root, where, "name", &name));
  ATL_TRY(atl_memory_strdup(name, &model->name));
  ATL_TRY(open_networks(root, where, model));
  ATL_CHECK(model->has_transformer || model->has_vae || model->has_clip, INPUT,
            "%s: expected a transformer, vae or clip, found none", where);
  if (model->has_transformer && model->has_vae)
    ATL_TRY(atl_model_check(&model->transformer_config, &model->vae_config, where));
  ATL_TRY(find_tokenizer(root, where, "tokenizer", model->directory, &model->tokenizer_path));
  return find_tokenizer(root, where, "clip_tokenizer", model->directory, &model->clip_tokenizer_path);
}

static atl_status_t read_directory(atl_model_t *model, const char *directory) {
  ATL_TRY(atl_memory_strdup(directory, &model->directory));
  char path[PATH_BYTES];
  int n = snprintf(path, sizeof path, "%s/model.json", directory);
  ATL_CHECK(n > 0 && (size_t)n < sizeof path, INPUT, "the path of the model directory is too long: %s", directory);
  ATL_CHECK(atl_file_is_directory(directory), INPUT,
            "%s: expected a model directory; create one with atelier convert CHECKPOINT --out DIR", directory);
  ATL_CHECK(
      atl_file_exists(path), INPUT,
      "%s: expected a model directory, found no model.json in it; create one with atelier convert CHECKPOINT --out "
      "DIR",
      directory);
  char *text;
  size_t n_bytes;
  json_t *root = NULL;
  ATL_TRY(atl_file_read(path, MAX_JSON_BYTES, &text, &n_bytes));
  atl_file_sha256(text, n_bytes, model->digest);
  atl_status_t status = atl_json_parse(text, n_bytes, path, &root);
  if (status == ATL_OK) status = read_json(root, path, model);
  json_decref(root);
  ATL_DESTROY(&text);
  return status;
}

atl_status_t atl_model_open(const char *directory, atl_model_t **model) {
  *model = NULL;
  atl_model_t *made;
  ATL_TRY(ATL_NEW(1, &made));
  atl_status_t status = read_directory(made, directory);
  if (status != ATL_OK) {
    atl_model_destroy(&made);
    return status;
  }
  *model = made;
  return ATL_OK;
}

void atl_model_release(const atl_model_t *model) {
  const atl_safetensors_t *const files[] = {model->transformer, model->vae, model->clip};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i] != NULL) atl_safetensors_release(files[i]);
}

void atl_model_destroy(atl_model_t **model) {
  if (model == NULL || *model == NULL) return;
  atl_safetensors_destroy(&(*model)->transformer);
  atl_safetensors_destroy(&(*model)->vae);
  atl_safetensors_destroy(&(*model)->clip);
  ATL_DESTROY(&(*model)->tokenizer_path);
  ATL_DESTROY(&(*model)->clip_tokenizer_path);
  ATL_DESTROY(&(*model)->directory);
  ATL_DESTROY(&(*model)->name);
  ATL_DESTROY(model);
}
