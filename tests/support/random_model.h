/* Random model: a transformer of any configuration with random weights, written as a checkpoint's tensors and opened
 * again. Sizes of the weights are chosen so that every path matters in the result.
 *
 *     random_model_t random;
 *     random_model_init(&random, &config, "build/x.safetensors", 1);     -- random.model is a model without a directory
 *     random_model_clear(&random);                                      -- removes the file
 */
#ifndef ATL_TESTS_SUPPORT_RANDOM_MODEL_H
#define ATL_TESTS_SUPPORT_RANDOM_MODEL_H

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "common/arena.h"
#include "model/checkpoint/import/names.h"
#include "model/checkpoint/model.h"
#include "model/kernels/attention/rotary.h"

typedef struct {
  atl_model_t model;
  const char *path;
  atl_arena_t arena;
  atl_tensor_t tensors[1024];
  size_t n_tensors;
  uint64_t state;
  bool has_wrappers; /* ".fn" as upstream's newest version nests them, else none */
} random_model_t;

/* Uniform in [-1,1): splitmix64. */
static inline float random_number(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (float)((double)(z >> 40) / (1 << 23) - 1.0);
}

/* A tensor of numbers centre +- size. */
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

#define RANDOM_ADD(r, name, centre, size, ...)                                                                         \
  ATL_TRY(random_add(r, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__},     \
                     centre, size))

/* "PREFIX.fn.fn.TAIL". */
static inline const char *random_name(char text[2 * ATL_NAME_BYTES], const char *prefix, int n_wrappers,
                                      const char *tail) {
  int n = snprintf(text, ATL_NAME_BYTES, "%s", prefix);
  for (int i = 0; i < n_wrappers; i++) n += snprintf(text + n, 8, ".fn");
  snprintf(text + n, ATL_NAME_BYTES, ".%s", tail);
  return text;
}

static inline atl_status_t random_sublayer(random_model_t *r, int32_t layer, atl_sublayer_t kind) {
  const atl_transformer_config_t *c = &r->model.transformer_config;
  char prefix[ATL_NAME_BYTES], name[2 * ATL_NAME_BYTES];
  int64_t D = c->width, inner = (int64_t)c->n_heads * c->head_size;
  float of_width = 1.7f / sqrtf((float)D);
  bool attends = kind == ATL_SUBLAYER_ATTENTION;
  int n = !r->has_wrappers ? 0 : (attends ? 3 : 2) + (c->shift_tokens ? 2 : 0), one = r->has_wrappers;
  atl_names_prefix(c->reversible, layer, kind, prefix);
  RANDOM_ADD(r, random_name(name, prefix, 0, "scale"), 0.5f, 0.2f, 1, 1, D);
  RANDOM_ADD(r, random_name(name, prefix, one, "norm.weight"), 1, 0.5f, D);
  RANDOM_ADD(r, random_name(name, prefix, one, "norm.bias"), 0, 0.5f, D);
  if (c->sandwich_norm) {
    RANDOM_ADD(r, random_name(name, prefix, one, "norm_out.weight"), 1, 0.5f, D);
    RANDOM_ADD(r, random_name(name, prefix, one, "norm_out.bias"), 0, 0.5f, D);
  }
  if ((attends ? c->attention_owner : c->feed_forward_owner)[layer] != layer) return ATL_OK;
  if (attends) {
    RANDOM_ADD(r, random_name(name, prefix, n, "to_qkv.weight"), 0, of_width, 3 * inner, D);
    RANDOM_ADD(r, random_name(name, prefix, n, "to_out.0.weight"), 0, 1.7f / sqrtf((float)inner), D, inner);
    RANDOM_ADD(r, random_name(name, prefix, n, "to_out.0.bias"), 0, 0.2f, D);
  } else {
    RANDOM_ADD(r, random_name(name, prefix, n, "net.0.weight"), 0, of_width, 8 * D, D);
    RANDOM_ADD(r, random_name(name, prefix, n, "net.0.bias"), 0, 0.2f, 8 * D);
    RANDOM_ADD(r, random_name(name, prefix, n, "net.3.weight"), 0, 0.85f / sqrtf((float)D), D, 4 * D);
    RANDOM_ADD(r, random_name(name, prefix, n, "net.3.bias"), 0, 0.2f, D);
  }
  return ATL_OK;
}

/* Angles up to 3, each twice in a row. */
static inline atl_status_t random_angles(random_model_t *r) {
  const atl_transformer_config_t *c = &r->model.transformer_config;
  int64_t n_positions = c->text_length + 1 + atl_config_image_length(c), width = atl_rotary_width(c->head_size);
  RANDOM_ADD(r, "transformer.pos_emb", 0, 3, 1, n_positions, width);
  float *angles = (float *)(uintptr_t)r->tensors[r->n_tensors - 1].data;
  for (int64_t i = 0; i < n_positions * width; i += 2) angles[i + 1] = angles[i];
  return ATL_OK;
}

static inline atl_status_t random_fill(random_model_t *r) {
  const atl_transformer_config_t *c = &r->model.transformer_config;
  int64_t D = c->width, f = c->image_side, n_text = atl_config_text_vocabulary(c);
  if (!c->share_embeddings) {
    RANDOM_ADD(r, "text_emb.weight", 0, 1, n_text, D);
    RANDOM_ADD(r, "image_emb.weight", 0, 1, c->n_image_tokens, D);
  }
  if (c->rotary) {
    ATL_TRY(random_angles(r));
  } else {
    RANDOM_ADD(r, "text_pos_emb.weight", 0, 1, c->text_length + 1, D);
    RANDOM_ADD(r, r->has_wrappers ? "image_pos_emb.weights.0" : "image_pos_emb.weights_0", 0, 1, 1, f, 1, D);
    RANDOM_ADD(r, r->has_wrappers ? "image_pos_emb.weights.1" : "image_pos_emb.weights_1", 0, 1, 1, 1, f, D);
  }
  for (int32_t i = 0; i < c->n_layers; i++) {
    ATL_TRY(random_sublayer(r, i, ATL_SUBLAYER_ATTENTION));
    ATL_TRY(random_sublayer(r, i, ATL_SUBLAYER_FEED_FORWARD));
  }
  RANDOM_ADD(r, "to_logits.0.weight", 1, 0.5f, D);
  RANDOM_ADD(r, "to_logits.0.bias", 0, 0.5f, D);
  RANDOM_ADD(r, "to_logits.1.weight", 0, 1.7f / sqrtf((float)D), atl_config_vocabulary(c), D);
  RANDOM_ADD(r, "to_logits.1.bias", 0, 0.2f, atl_config_vocabulary(c));
  return ATL_OK;
}

static inline void random_model_clear(random_model_t *r) {
  atl_safetensors_destroy(&r->model.transformer);
  atl_arena_clear(&r->arena);
  unlink(r->path);
}

/* `path` is written and must outlive the model. */
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
