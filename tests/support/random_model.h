/* Random model: a transformer of any configuration with random weights, written to a file under the tensor names of a
 * checkpoint and opened again. Magnitudes are such that every tensor affects the result.
 *
 *     random_model_t random;
 *     random_model_init(&random, &config, "build/x.safetensors", 1);     -- random.model is open
 *     random_model_clear(&random);                                      -- removes the file
 */
#ifndef ATL_TESTS_SUPPORT_RANDOM_MODEL_H
#define ATL_TESTS_SUPPORT_RANDOM_MODEL_H

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "model/checkpoint/model.h"
#include "model/transformer/names.h"
#include "model/transformer/tensors.h"

typedef struct {
  atl_model_t model;
  const char *path;
  atl_arena_t arena;
  atl_tensor_t tensors[1024];
  size_t n_tensors;
  uint64_t state;
  bool has_wrappers; /* names contain ".fn", as in the newest version of DALLE-pytorch */
} random_model_t;

/* Uniform in [-1,1): splitmix64. */
static inline float random_number(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (float)((double)(z >> 40) / (1 << 23) - 1.0);
}

/* Adds a tensor of uniform values in centre +- size. */
static inline atl_status_t random_add(random_model_t *r, const char *name, int n_dims, const int64_t *shape,
                                      float centre, float size) {
  atl_tensor_t *tensor = &r->tensors[r->n_tensors++];
  size_t n = 1;
  tensor->dtype = ATL_F32;
  tensor->n_dims = n_dims;
  for (int i = 0; i < n_dims; i++) n *= (size_t)(tensor->shape[i] = shape[i]);
  float *data;
  char *copy;
  ATL_TRY(atl_arena_strndup(&r->arena, name, ATL_NAME_BYTES, &copy));
  ATL_TRY(ATL_TAKE(&r->arena, n, &data));
  for (size_t i = 0; i < n; i++) data[i] = centre + size * random_number(&r->state);
  tensor->name = copy;
  tensor->data = data;
  return ATL_OK;
}

/* Returns the name under which the checkpoint stores a tensor: with has_wrappers "PREFIX.fn.fn.TAIL" for "PREFIX.TAIL",
 * as the newest version of DALLE-pytorch nests its modules. */
static inline const char *random_name(const random_model_t *r, const char *name, char text[2 * ATL_NAME_BYTES]) {
  const atl_transformer_config_t *c = &r->model.transformer_config;
  char prefix[ATL_NAME_BYTES];
  for (int32_t i = 0; i < 2 * c->n_layers; i++) {
    atl_sublayer_t kind = i % 2 == 0 ? ATL_SUBLAYER_ATTENTION : ATL_SUBLAYER_FEED_FORWARD;
    size_t n_prefix = strlen(atl_names_prefix(c->reversible, i / 2, kind, prefix));
    if (strncmp(name, prefix, n_prefix) != 0 || name[n_prefix] != '.') continue;
    const char *tail = name + n_prefix + 1;
    bool is_vector = strncmp(tail, "norm", 4) == 0, is_scale = strcmp(tail, "scale") == 0;
    int n_linear = (kind == ATL_SUBLAYER_ATTENTION ? 3 : 2) + (c->shift_tokens ? 2 : 0);
    int n = !r->has_wrappers || is_scale ? 0 : is_vector ? 1 : n_linear;
    snprintf(text, 2 * ATL_NAME_BYTES, "%s%.*s.%s", prefix, 3 * n, ".fn.fn.fn.fn.fn", tail);
    return text;
  }
  snprintf(text, 2 * ATL_NAME_BYTES, "%s", name);
  char *dot = strstr(text, ".weights.");
  if (!r->has_wrappers && dot != NULL) dot[8] = '_';
  return text;
}

/* Sets the range centre +- size of a tensor's values, large enough that the tensor affects the result. */
static inline void random_range(const atl_table_entry_t *entry, float *centre, float *size) {
  float fan_in = (float)atl_table_n_items(entry) / (float)entry->shape[0];
  bool is_norm = entry->init == ATL_INIT_ONE || entry->init == ATL_INIT_ZERO;
  *centre = entry->kind == ATL_TENSOR_GAIN ? 1 : entry->kind == ATL_TENSOR_SCALE ? 0.5f : 0;
  switch (entry->kind) {
  case ATL_TENSOR_WEIGHT: *size = 1.7f / sqrtf(fan_in); break;
  case ATL_TENSOR_GAIN: *size = 0.5f; break;
  case ATL_TENSOR_BIAS: *size = is_norm ? 0.5f : 0.2f; break;
  case ATL_TENSOR_SCALE: *size = 0.2f; break;
  case ATL_TENSOR_BUFFER: *size = 3; break; /* angles */
  default: *size = 1; break;
  }
}

static inline atl_status_t random_fill(random_model_t *r) {
  atl_table_list_t list = {0};
  atl_status_t status = atl_table_list(&atl_transformer_table, &r->model.transformer_config, &list);
  for (size_t i = 0; i < list.n && status == ATL_OK; i++) {
    const atl_table_entry_t *entry = &list.items[i];
    char name[2 * ATL_NAME_BYTES];
    float centre, size;
    random_range(entry, &centre, &size);
    status = random_add(r, random_name(r, entry->name, name), entry->n_dims, entry->shape, centre, size);
    if (status != ATL_OK || entry->kind != ATL_TENSOR_BUFFER) continue;
    float *angles = (float *)(uintptr_t)r->tensors[r->n_tensors - 1].data; /* angles come in equal pairs */
    for (size_t k = 0; k < atl_table_n_items(entry); k += 2) angles[k + 1] = angles[k];
  }
  atl_table_clear_list(&list);
  return status;
}

static inline void random_model_clear(random_model_t *r) {
  atl_safetensors_destroy(&r->model.transformer);
  atl_arena_clear(&r->arena);
  unlink(r->path);
}

/* Writes the model to path, which is borrowed until random_model_clear removes the file. Odd seeds use names with
 * wrappers. */
static inline atl_status_t random_model_init(random_model_t *r, const atl_transformer_config_t *config,
                                             const char *path, uint64_t seed) {
  *r = (random_model_t){.path = path, .state = seed, .has_wrappers = seed % 2 == 1};
  r->model.directory = (char *)(uintptr_t)path;
  r->model.transformer_config = *config;
  r->model.has_transformer = true;
  ATL_TRY(random_fill(r));
  ATL_TRY(atl_safetensors_save(path, r->tensors, r->n_tensors, NULL, 0));
  atl_arena_clear(&r->arena);
  return atl_safetensors_open(path, &r->model.transformer);
}

#endif
