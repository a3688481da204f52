/* A part is [embedding] layers [head] and the state of its sequences. docs/model.md follows a row through all steps;
 * this file runs them. All layers share one workspace. */
#include "model/transformer/transformer.h"

#include <float.h>
#include <string.h>

#include "model/transformer/embedding.h"
#include "model/transformer/head.h"
#include "model/transformer/layer.h"

struct atl_transformer {
  atl_transformer_config_t config;
  atl_transformer_part_t part;
  atl_arena_t arena;
  atl_embedding_t embedding; /* first stage only */
  atl_head_t head;           /* last stage only */
  atl_layer_t *layers;       /* (end_layer-first_layer) */
  atl_layer_workspace_t work;
};

static bool is_first(const atl_transformer_part_t *part) { return part->first_layer == 0; }
static bool is_last(const atl_transformer_config_t *config, const atl_transformer_part_t *part) {
  return part->end_layer == config->n_layers;
}

int64_t atl_transformer_row_width(const atl_transformer_config_t *config) {
  return (config->reversible ? 2 : 1) * (int64_t)config->width;
}

/* The first layer of the part that uses the same linear layers as layer i. */
static int32_t first_of(const int32_t *owners, const atl_transformer_part_t *part, int32_t i) {
  int32_t first = part->first_layer;
  while (owners[first] != owners[i]) first++;
  return first;
}

/* Floats per row of qkv and hidden, which share memory. */
static size_t row_items_after_in(const atl_transformer_config_t *c) {
  size_t qkv = 3 * (size_t)c->n_heads * (size_t)c->head_size, hidden = 4 * (size_t)c->width;
  return qkv > hidden ? qkv : hidden;
}

/* Floats of scratch per row, without attention's. */
static size_t row_items(const atl_transformer_config_t *c) {
  size_t width = (size_t)c->width, inner = (size_t)c->n_heads * (size_t)c->head_size;
  return width + row_items_after_in(c) + inner + (c->sandwich_norm ? width : 0);
}

void atl_transformer_get_bytes(const atl_transformer_config_t *config, const atl_transformer_part_t *part,
                               atl_transformer_bytes_t *bytes) {
  *bytes = (atl_transformer_bytes_t){.weights = sizeof(atl_transformer_t)};
  if (is_first(part)) bytes->weights += atl_embedding_bytes(config);
  if (is_last(config, part)) bytes->weights += atl_head_bytes(config, part->dtype, part->backend);
  for (int32_t i = part->first_layer; i < part->end_layer; i++) {
    atl_transformer_bytes_t layer;
    atl_layer_get_bytes(config, part, i, first_of(config->attention_owner, part, i) == i,
                        first_of(config->feed_forward_owner, part, i) == i, &layer);
    bytes->weights += layer.weights + sizeof(atl_layer_t);
    bytes->per_prefix += layer.per_prefix;
    bytes->per_sample += layer.per_sample;
  }
  bytes->scratch = atl_attention_bytes(config) + atl_rows_bytes(part->n_samples, part->max_rows) +
                   (size_t)part->max_rows * row_items(config) * sizeof(float);
}

static atl_status_t init_work(atl_transformer_t *t) {
  const atl_transformer_config_t *c = &t->config;
  const atl_transformer_part_t *part = &t->part;
  atl_layer_workspace_t *work = &t->work;
  int64_t n = part->max_rows, inner = (int64_t)c->n_heads * c->head_size;
  work->config = c;
  work->row_width = atl_transformer_row_width(c);
  ATL_TRY(ATL_TAKE(&t->arena, n * c->width, &work->normed));
  ATL_TRY(ATL_TAKE(&t->arena, (size_t)n * row_items_after_in(c), &work->qkv));
  work->hidden = work->qkv;
  ATL_TRY(ATL_TAKE(&t->arena, n * inner, &work->attended));
  if (c->sandwich_norm) ATL_TRY(ATL_TAKE(&t->arena, n * c->width, &work->projected));
  return atl_rows_init(&work->rows, c->text_length + 1, part->n_prefixes, part->n_samples, part->max_rows, &t->arena);
}

static atl_status_t init_attention(atl_transformer_t *t, const atl_transformer_source_t *source) {
  atl_arena_t temporary = {0};
  atl_status_t status = ATL_OK;
  if (t->config.rotary) status = ATL_WEIGHTS_BIND(&source->weights, &temporary, source->tensors.angles);
  if (status == ATL_OK)
    status = atl_attention_init(&t->work.attention, &t->config, source->tensors.angles.value, t->part.dtype, t->part.kv,
                                t->part.backend, &t->arena);
  atl_arena_clear(&temporary);
  return status;
}

static atl_status_t init_layers(atl_transformer_t *t, const atl_transformer_source_t *source) {
  const atl_transformer_part_t *part = &t->part;
  ATL_TRY(ATL_TAKE(&t->arena, part->end_layer - part->first_layer, &t->layers));
  for (int32_t i = part->first_layer; i < part->end_layer; i++) {
    int32_t attention = first_of(t->config.attention_owner, part, i);
    int32_t feed_forward = first_of(t->config.feed_forward_owner, part, i);
    atl_layer_t *first = t->layers - part->first_layer;
    ATL_TRY(atl_layer_init(&first[i], source, part, i, attention < i ? &first[attention] : NULL,
                           feed_forward < i ? &first[feed_forward] : NULL, &t->arena));
  }
  return ATL_OK;
}

/* Loads first what needs the most temporary memory, and allocates caches and scratch last, so that loading never takes
 * more memory than running. */
static atl_status_t init_from(atl_transformer_t *t, const atl_model_t *model, const atl_transformer_source_t *source) {
  if (is_last(&t->config, &t->part))
    ATL_TRY(atl_head_init(&t->head, source, t->part.dtype, t->part.backend, &t->arena));
  if (is_first(&t->part)) ATL_TRY(atl_embedding_init(&t->embedding, source, &t->arena));
  ATL_TRY(init_layers(t, source));
  atl_model_release(model);
  for (int32_t i = t->part.first_layer; i < t->part.end_layer; i++)
    ATL_TRY(atl_layer_init_state(&t->layers[i - t->part.first_layer], &t->config, &t->part, i, &t->arena));
  ATL_TRY(init_attention(t, source));
  return init_work(t);
}

static atl_status_t init(atl_transformer_t *t, const atl_model_t *model) {
  atl_transformer_source_t source;
  atl_status_t status = atl_transformer_source_open(model, &source);
  if (status == ATL_OK) status = init_from(t, model, &source);
  atl_transformer_source_close(&source);
  return status;
}

atl_status_t atl_transformer_new(const atl_model_t *model, const atl_transformer_part_t *part, atl_transformer_t **t) {
  *t = NULL;
  ATL_CHECK(model->has_transformer, INPUT,
            "%s: expected a model with a transformer, found none; convert a DALLE checkpoint", model->directory);
  ATL_ASSERT(part->first_layer >= 0 && part->first_layer < part->end_layer);
  ATL_ASSERT(part->end_layer <= model->transformer_config.n_layers);
  ATL_TRY(ATL_NEW(1, t));
  (*t)->config = model->transformer_config;
  (*t)->part = *part;
  atl_status_t status = init(*t, model);
  if (status != ATL_OK) atl_transformer_destroy(t);
  return status;
}

void atl_transformer_destroy(atl_transformer_t **t) {
  if (*t == NULL) return;
  atl_transformer_part_t *part = &(*t)->part;
  for (int32_t i = 0; (*t)->layers != NULL && i < part->end_layer - part->first_layer; i++)
    atl_layer_clear(&(*t)->layers[i]);
  atl_head_clear(&(*t)->head);
  atl_arena_clear(&(*t)->arena);
  ATL_DESTROY(t);
}

void atl_transformer_bind(atl_transformer_t *t, int32_t sample, int32_t prefix) {
  ATL_ASSERT(sample >= 0 && sample < t->part.n_samples && prefix >= 0 && prefix < t->part.n_prefixes);
  t->work.rows.bound[sample] = prefix;
}

void atl_transformer_copy(atl_transformer_t *t, int32_t to, int32_t from, int32_t n_image) {
  atl_transformer_bind(t, to, t->work.rows.bound[from]);
  if (to == from) return;
  for (int32_t i = 0; i < t->part.end_layer - t->part.first_layer; i++)
    atl_layer_copy(&t->layers[i], to, from, n_image);
}

void atl_transformer_embed(atl_transformer_t *t, float *x, const atl_row_t *rows, const int32_t *tokens, int32_t n) {
  int32_t n_text = t->config.text_length + 1, width = t->config.width;
  int64_t ldx = atl_transformer_row_width(&t->config);
  ATL_ASSERT(is_first(&t->part));
  for (int32_t i = 0; i < n; i++) {
    float *x_i = x + i * ldx;
    if (rows[i].position < n_text)
      atl_embedding_text(&t->embedding, x_i, tokens[i], rows[i].position);
    else
      atl_embedding_image(&t->embedding, x_i, tokens[i], rows[i].position - n_text);
    if (t->config.reversible) memcpy(x_i + width, x_i, (size_t)width * sizeof *x);
  }
}

void atl_transformer_run(atl_transformer_t *t, float *x, const atl_row_t *rows, int32_t n,
                         atl_transformer_progress_t progress, void *context) {
  atl_rows_set(&t->work.rows, rows, n);
  t->work.progress = progress;
  t->work.context = context;
  for (int32_t i = 0; i < t->part.end_layer - t->part.first_layer; i++) atl_layer_forward(&t->layers[i], &t->work, x);
}

void atl_transformer_image_logits(atl_transformer_t *t, float *logits, const float *x, int32_t n) {
  ATL_ASSERT(is_last(&t->config, &t->part) && n <= t->part.max_rows);
  atl_head_normalize(&t->head, t->work.normed, x, n);                     /* normed(n,D) */
  atl_nn_linear_forward(&t->head.image, logits, t->work.normed, n, NULL); /* logits(n,V_i) */
}

void atl_transformer_all_logits(atl_transformer_t *t, float *logits, const float *x, const atl_row_t *rows, int32_t n) {
  int32_t width = t->config.width, n_text = atl_config_text_vocabulary(&t->config);
  int64_t n_ids = atl_config_vocabulary(&t->config);
  const float *normed = t->work.normed;
  ATL_ASSERT(is_last(&t->config, &t->part) && n <= t->part.max_rows);
  atl_head_normalize(&t->head, t->work.normed, x, n);                                               /* normed(n,D) */
  atl_nn_linear_forward_into(&t->head.text, logits, n_ids, normed, width, n, NULL, NULL);           /* logits(n,V_T) */
  atl_nn_linear_forward_into(&t->head.image, logits + n_text, n_ids, normed, width, n, NULL, NULL); /* (n,V_i) */
  for (int32_t i = 0; i < n; i++) {
    bool predicts_text = rows[i].position < t->config.text_length;
    int64_t first = predicts_text ? n_text : 0, end = predicts_text ? n_ids : n_text;
    for (int64_t id = first; id < end; id++) logits[i * n_ids + id] = -FLT_MAX;
  }
}
