/* Weights are views into one pool of numbers, uniform with deviation DEVIATION, so that a model of any size needs no
 * more memory than its largest tensor: views of different tensors begin at different places. Gains are 1 and biases 0,
 * layer scales small as a trained model's are; with that, activations of any depth stay finite. model.json comes last.
 */
#include "model/checkpoint/random.h"

#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/file.h"
#include "common/rng.h"
#include "common/safetensors.h"
#include "common/version.h"
#include "model/checkpoint/convert.h"
#include "model/checkpoint/expect.h"
#include "model/checkpoint/shape.h"

#define DEVIATION 0.02F
enum { PATH_BYTES = 4096, POOL_SHIFT = 1009 };

typedef struct {
  const char *directory;
  atl_dtype_t storage;
  json_t *root;
} writer_t;

static bool ends_with(const char *name, const char *end) {
  size_t n = strlen(name), n_end = strlen(end);
  return n >= n_end && strcmp(name + n - n_end, end) == 0;
}

static size_t n_items(const atl_expected_t *expected) {
  size_t n = 1;
  for (int i = 0; i < expected->n_dims; i++) n *= (size_t)expected->shape[i];
  return n;
}

/* Vectors that are not drawn: what they are filled with. */
static bool is_constant(const atl_expected_t *expected, float *value) {
  const char *name = expected->name;
  *value = 0;
  if (ends_with(name, ".scale"))
    *value = 0.1F;
  else if (strcmp(name, "logit_scale") == 0)
    *value = 4.6F;
  else if (ends_with(name, "running_var") || (expected->n_dims == 1 && ends_with(name, ".weight")))
    *value = 1;
  else
    return expected->n_dims <= 1 && !ends_with(name, "embedding");
  return true;
}

/* Uniform numbers of the given deviation: of width sqrt(12) deviations. */
static void draw(float *pool, size_t n) {
  const uint32_t key[2] = {0x61746c72, 1};
  for (size_t i = 0; i < n; i += 4) {
    uint32_t bits[4], counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), 0, 0};
    atl_rng_philox(counter, key, bits);
    for (size_t j = i; j < n && j < i + 4; j++)
      pool[j] = ((float)(bits[j - i] >> 8) / 16777216.0F - 0.5F) * DEVIATION * 3.4641016F;
  }
}

static atl_status_t fill_tensor(atl_arena_t *arena, const atl_expected_t *expected, const float *pool, size_t shift,
                                atl_tensor_t *tensor) {
  float value, *constants;
  size_t n = n_items(expected);
  *tensor = (atl_tensor_t){.name = expected->name, .dtype = ATL_F32, .n_dims = expected->n_dims, .data = pool + shift};
  for (int i = 0; i < expected->n_dims; i++) tensor->shape[i] = expected->shape[i];
  if (!is_constant(expected, &value)) return ATL_OK;
  ATL_TRY(ATL_TAKE(arena, n, &constants));
  for (size_t i = 0; i < n; i++) constants[i] = value;
  tensor->data = constants;
  return ATL_OK;
}

static atl_status_t fill_tensors(atl_arena_t *arena, const atl_expected_list_t *list, atl_tensor_t **tensors) {
  size_t largest = 0;
  float *pool;
  for (size_t i = 0; i < list->n; i++)
    largest = n_items(&list->items[i]) > largest ? n_items(&list->items[i]) : largest;
  size_t n_pool = largest + list->n * POOL_SHIFT;
  ATL_TRY(ATL_TAKE(arena, n_pool, &pool));
  ATL_TRY(ATL_TAKE(arena, list->n, tensors));
  draw(pool, n_pool);
  for (size_t i = 0; i < list->n; i++)
    ATL_TRY(fill_tensor(arena, &list->items[i], pool, i * POOL_SHIFT, &(*tensors)[i]));
  return ATL_OK;
}

/* Matrices are stored as asked for; vectors, and what positions are computed from, stay fp32. */
static atl_status_t save(const writer_t *writer, const char *path, const atl_expected_list_t *list) {
  atl_arena_t arena = {0};
  atl_tensor_t *tensors;
  atl_dtype_t *stored;
  atl_status_t status = fill_tensors(&arena, list, &tensors);
  if (status == ATL_OK) status = ATL_TAKE(&arena, list->n, &stored);
  for (size_t i = 0; status == ATL_OK && i < list->n; i++)
    stored[i] = tensors[i].n_dims == 2 || tensors[i].n_dims == 4 ? writer->storage : ATL_F32;
  if (status == ATL_OK) status = atl_safetensors_save_as(path, tensors, stored, list->n, NULL, 0);
  atl_arena_clear(&arena);
  return status;
}

/* Writes PART.safetensors and adds {"file", "sha256", "config"} to model.json. Takes config. */
static atl_status_t write_part(writer_t *writer, const char *part, const atl_expected_list_t *list, json_t *config) {
  char name[64], path[PATH_BYTES], digest[65];
  atl_file_map_t map;
  json_t *object = json_pack("{s:o}", "config", config);
  json_object_set_new(writer->root, part, object);
  snprintf(name, sizeof name, "%s.safetensors", part);
  int n = snprintf(path, sizeof path, "%s/%s", writer->directory, name);
  ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path is too long", writer->directory);
  ATL_TRY(save(writer, path, list));
  ATL_TRY(atl_file_map(path, &map));
  atl_file_sha256(map.bytes, map.n_bytes, digest);
  atl_file_unmap(&map);
  json_object_set_new(object, "file", json_string(name));
  json_object_set_new(object, "sha256", json_string(digest));
  return ATL_OK;
}

static atl_status_t write_transformer(writer_t *writer, const atl_shape_t *shape, atl_expected_list_t *list) {
  json_t *config;
  ATL_TRY(atl_expect_transformer(&shape->transformer, list));
  ATL_TRY(atl_transformer_config_to_json(&shape->transformer, &config));
  return write_part(writer, "transformer", list, config);
}

static atl_status_t write_vae(writer_t *writer, const atl_shape_t *shape, atl_expected_list_t *list) {
  json_t *config;
  ATL_TRY(atl_expect_vae(&shape->vae, list));
  ATL_TRY(atl_vae_config_to_json(&shape->vae, &config));
  return write_part(writer, "vae", list, config);
}

static atl_status_t write_clip(writer_t *writer, const atl_shape_t *shape, atl_expected_list_t *list) {
  json_t *config;
  if (!shape->has_clip) return ATL_OK;
  ATL_TRY(atl_expect_clip(&shape->clip, list));
  ATL_TRY(atl_clip_config_to_json(&shape->clip, &config));
  return write_part(writer, "clip", list, config);
}

static atl_status_t write_all(writer_t *writer, const atl_shape_t *shape) {
  atl_status_t (*const parts[])(writer_t *, const atl_shape_t *, atl_expected_list_t *) = {write_transformer, write_vae,
                                                                                           write_clip};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    atl_expected_list_t list = {0};
    atl_status_t status = parts[i](writer, shape, &list);
    atl_expect_clear(&list);
    ATL_TRY(status);
  }
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/model.json", writer->directory);
  return atl_json_save(writer->root, path);
}

/* Asked before anything is made. */
static atl_status_t check_tokenizers(const atl_random_model_t *wanted, const atl_shape_t *shape) {
  ATL_CHECK(wanted->clip_tokenizer == NULL || shape->has_clip, USAGE,
            "--clip-tokenizer is CLIP's, and the shape %s has none; add clip=1", wanted->shape);
  if (wanted->tokenizer != NULL)
    ATL_TRY(atl_convert_check_tokenizer(wanted->tokenizer, "transformer", shape->transformer.n_text_tokens));
  if (wanted->clip_tokenizer != NULL)
    ATL_TRY(atl_convert_check_tokenizer(wanted->clip_tokenizer, "CLIP", shape->clip.vocabulary));
  return ATL_OK;
}

static atl_status_t write_tokenizers(const writer_t *writer, const atl_random_model_t *wanted) {
  const char *const parts[][2] = {{"tokenizer", wanted->tokenizer}, {"clip_tokenizer", wanted->clip_tokenizer}};
  for (int i = 0; i < 2; i++)
    if (parts[i][1] != NULL)
      ATL_TRY(atl_convert_add_tokenizer(parts[i][1], parts[i][0], wanted->directory, writer->root));
  return ATL_OK;
}

atl_status_t atl_random_model_write(const atl_random_model_t *wanted) {
  atl_shape_t shape;
  ATL_TRY(atl_shape_parse(wanted->shape, &shape));
  ATL_TRY(check_tokenizers(wanted, &shape));
  ATL_CHECK(!atl_file_exists(wanted->directory), INPUT, "%s: exists already; choose another folder", wanted->directory);
  ATL_TRY(atl_file_make_directory(wanted->directory));
  writer_t writer = {.directory = wanted->directory, .storage = wanted->storage};
  writer.root = json_pack("{s:i, s:s, s:{s:s, s:s}}", "format", 1, "name", wanted->name ? wanted->name : wanted->shape,
                          "provenance", "tool", "atelier " ATL_VERSION, "weights", "random numbers");
  atl_status_t status = writer.root != NULL ? write_tokenizers(&writer, wanted)
                                            : ATL_FAIL(INPUT, "the model's name is not UTF-8 text; try another --name");
  if (status == ATL_OK) status = write_all(&writer, &shape);
  json_decref(writer.root);
  if (status == ATL_OK) return ATL_OK;
  char reason[1024]; /* is what the user hears, not what cleaning up may say */
  snprintf(reason, sizeof reason, "%s", atl_status_message());
  (void)atl_file_remove_directory(wanted->directory);
  return atl_status_fail(status, __FILE__, __LINE__, __func__, "%s", reason);
}
