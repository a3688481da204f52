/* All weights are views into one pool of uniform random numbers of standard deviation DEVIATION, so that writing a
 * model needs little more memory than its largest tensor. The views of different tensors start at different offsets.
 * Gains are 1, biases 0, and layer scales small as in a trained model, so that activations stay finite at any depth.
 */
#include "model/checkpoint/random.h"

#include "common/arena.h"
#include "common/file.h"
#include "common/rng.h"
#include "common/version.h"
#include "model/checkpoint/shape.h"
#include "model/checkpoint/write.h"

#define DEVIATION 0.02F
enum { POOL_SHIFT = 1009 };

/* Is the tensor filled with one value instead of random numbers? */
static bool is_constant(const atl_table_entry_t *entry, float *value) {
  switch (entry->kind) {
  case ATL_TENSOR_SCALE: *value = 0.1F; return true;
  case ATL_TENSOR_TEMPERATURE: *value = 4.6F; return true;
  case ATL_TENSOR_GAIN: *value = 1; return true;
  case ATL_TENSOR_BIAS: *value = 0; return true;
  case ATL_TENSOR_BUFFER: *value = entry->init == ATL_INIT_ONE ? 1 : 0; return entry->init != ATL_INIT_COMPUTED;
  default: return false;
  }
}

/* Uniform numbers of standard deviation DEVIATION: their range is sqrt(12) DEVIATION wide. */
static void draw(float *pool, size_t n) {
  const uint32_t key[2] = {0x61746c72, 1};
  for (size_t i = 0; i < n; i += 4) {
    uint32_t bits[4], counter[4] = {(uint32_t)i, (uint32_t)(i >> 32), 0, 0};
    atl_rng_philox(counter, key, bits);
    for (size_t j = i; j < n && j < i + 4; j++)
      pool[j] = ((float)(bits[j - i] >> 8) / 16777216.0F - 0.5F) * DEVIATION * 3.4641016F;
  }
}

static atl_status_t fill_tensor(atl_arena_t *arena, const atl_table_entry_t *entry, const float *pool, size_t shift,
                                atl_tensor_t *tensor) {
  float value, *constants;
  size_t n = atl_table_n_items(entry);
  *tensor = (atl_tensor_t){.name = entry->name, .dtype = ATL_F32, .n_dims = entry->n_dims, .data = pool + shift};
  for (int i = 0; i < entry->n_dims; i++) tensor->shape[i] = entry->shape[i];
  if (!is_constant(entry, &value)) return ATL_OK;
  ATL_TRY(ATL_TAKE(arena, n, &constants));
  for (size_t i = 0; i < n; i++) constants[i] = value;
  tensor->data = constants;
  return ATL_OK;
}

static atl_status_t fill_tensors(atl_arena_t *arena, const atl_table_list_t *list, atl_tensor_t **tensors) {
  size_t largest = 0;
  float *pool;
  for (size_t i = 0; i < list->n; i++) {
    size_t n = atl_table_n_items(&list->items[i]);
    largest = n > largest ? n : largest;
  }
  size_t n_pool = largest + list->n * POOL_SHIFT;
  ATL_TRY(ATL_TAKE(arena, n_pool, &pool));
  ATL_TRY(ATL_TAKE(arena, list->n, tensors));
  draw(pool, n_pool);
  for (size_t i = 0; i < list->n; i++)
    ATL_TRY(fill_tensor(arena, &list->items[i], pool, i * POOL_SHIFT, &(*tensors)[i]));
  return ATL_OK;
}

static atl_status_t write_part(atl_write_t *write, atl_part_t part, const void *config, atl_dtype_t storage) {
  json_t *object;
  ATL_TRY(atl_part_config_to_json(part, config, &object));
  ATL_TRY(atl_write_set(write, atl_part_name(part), "config", object));
  atl_arena_t arena = {0};
  atl_table_list_t list = {0};
  atl_tensor_t *tensors;
  atl_status_t status = atl_table_list(atl_part_table(part), config, &list);
  if (status == ATL_OK) status = fill_tensors(&arena, &list, &tensors);
  if (status == ATL_OK) status = atl_write_tensors(write, part, write->out, tensors, &list, storage);
  atl_arena_clear(&arena);
  atl_table_clear_list(&list);
  return status;
}

static atl_status_t write_all(atl_write_t *write, const atl_random_model_t *wanted, const atl_shape_t *shape) {
  ATL_TRY(atl_write_set(write, "provenance", NULL,
                        json_pack("{s:s, s:s}", "tool", "atelier " ATL_VERSION, "weights", "random numbers")));
  if (wanted->tokenizer != NULL) ATL_TRY(atl_write_tokenizer(write, "tokenizer", wanted->tokenizer));
  if (wanted->clip_tokenizer != NULL) ATL_TRY(atl_write_tokenizer(write, "clip_tokenizer", wanted->clip_tokenizer));
  ATL_TRY(write_part(write, ATL_PART_TRANSFORMER, &shape->transformer, wanted->storage));
  ATL_TRY(write_part(write, ATL_PART_VAE, &shape->vae, wanted->storage));
  return shape->has_clip ? write_part(write, ATL_PART_CLIP, &shape->clip, wanted->storage) : ATL_OK;
}

/* Runs before anything is created. */
static atl_status_t check_tokenizers(const atl_random_model_t *wanted, const atl_shape_t *shape) {
  ATL_CHECK(wanted->clip_tokenizer == NULL || shape->has_clip, USAGE,
            "--clip-tokenizer is for CLIP, but the shape %s has none; add clip=1", wanted->shape);
  if (wanted->tokenizer != NULL)
    ATL_TRY(atl_write_check_tokenizer(wanted->tokenizer, "transformer", shape->transformer.n_text_tokens));
  if (wanted->clip_tokenizer != NULL)
    ATL_TRY(atl_write_check_tokenizer(wanted->clip_tokenizer, "CLIP", shape->clip.vocabulary));
  return ATL_OK;
}

atl_status_t atl_random_model_write(const atl_random_model_t *wanted) {
  atl_shape_t shape;
  atl_write_t write;
  ATL_TRY(atl_shape_parse(wanted->shape, "tiny", &shape));
  ATL_TRY(check_tokenizers(wanted, &shape));
  ATL_CHECK(!atl_file_exists_itself(wanted->directory), INPUT, "%s: exists already; choose another folder",
            wanted->directory);
  atl_status_t status = atl_write_start(wanted->directory, wanted->name ? wanted->name : wanted->shape, &write);
  if (status == ATL_OK) status = write_all(&write, wanted, &shape);
  return atl_write_end(&write, status);
}
