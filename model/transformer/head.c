#include "model/transformer/head.h"

#include <string.h>

static atl_linear_spec_t spec_of(const atl_transformer_config_t *c, bool is_text, atl_dtype_t dtype,
                                 atl_backend_t backend) {
  return (atl_linear_spec_t){.n_out = is_text ? atl_config_text_vocabulary(c) : c->n_image_tokens,
                             .n_in = c->width,
                             .dtype = dtype,
                             .backend = backend};
}

size_t atl_head_bytes(const atl_transformer_config_t *config, atl_dtype_t dtype, atl_backend_t backend) {
  atl_linear_spec_t text = spec_of(config, true, dtype, backend), image = spec_of(config, false, dtype, backend);
  return atl_linear_get_bytes(&text) + atl_linear_get_bytes(&image) + 2 * (size_t)config->width * sizeof(float);
}

static atl_status_t init_linears(atl_head_t *head, const atl_transformer_source_t *source, atl_dtype_t dtype,
                                 atl_backend_t backend, atl_arena_t *temporary) {
  const atl_transformer_config_t *c = source->config;
  int64_t n_text = atl_config_text_vocabulary(c);
  atl_linear_spec_t text = spec_of(c, true, dtype, backend), image = spec_of(c, false, dtype, backend);
  ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, source->tensors.logits));
  text.weight = source->tensors.logits.weight.value;
  text.bias = source->tensors.logits.bias.value;
  image.weight = text.weight + n_text * c->width;
  image.bias = text.bias + n_text;
  ATL_TRY(atl_nn_linear_init(&head->text, &text, NULL));
  return atl_nn_linear_init(&head->image, &image, NULL);
}

static atl_status_t init_norm(atl_head_t *head, const atl_transformer_source_t *source, atl_arena_t *arena,
                              atl_arena_t *temporary) {
  size_t width = (size_t)head->width;
  float *copy;
  ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, source->tensors.norm));
  ATL_TRY(ATL_TAKE(arena, 2 * width, &copy));
  memcpy(copy, source->tensors.norm.weight.value, width * sizeof *copy);
  memcpy(copy + width, source->tensors.norm.bias.value, width * sizeof *copy);
  head->norm = (atl_nn_norm_t){.weight = copy, .bias = copy + width, .width = head->width};
  return ATL_OK;
}

atl_status_t atl_head_init(atl_head_t *head, const atl_transformer_source_t *source, atl_dtype_t dtype,
                           atl_backend_t backend, atl_arena_t *arena) {
  const atl_transformer_config_t *c = source->config;
  *head = (atl_head_t){.width = c->width, .n_streams = c->reversible ? 2 : 1, .stable = c->stable};
  atl_arena_t temporary = {0};
  atl_status_t status = init_norm(head, source, arena, &temporary);
  if (status == ATL_OK) status = init_linears(head, source, dtype, backend, &temporary);
  atl_arena_clear(&temporary);
  return status;
}

void atl_head_clear(atl_head_t *head) {
  atl_nn_linear_clear(&head->text);
  atl_nn_linear_clear(&head->image);
}

/* The maximum over channels, not over absolute values, as in the reference. */
static void divide_by_largest(float *row, int32_t width) {
  float largest = row[0];
  for (int32_t i = 1; i < width; i++) largest = row[i] > largest ? row[i] : largest;
  for (int32_t i = 0; i < width; i++) row[i] /= largest;
}

/* normed(D) <- the mean of a row's streams x(C,D). */
static void average_streams(const atl_head_t *head, float *normed, const float *x) {
  if (head->n_streams == 1) {
    memcpy(normed, x, (size_t)head->width * sizeof *normed);
    return;
  }
  for (int32_t i = 0; i < head->width; i++) normed[i] = (x[i] + x[head->width + i]) * 0.5f;
}

void atl_head_normalize(const atl_head_t *head, float *normed, const float *x, int64_t n_rows) {
  int64_t width = head->width;
  for (int64_t n = 0; n < n_rows; n++) {
    average_streams(head, normed + n * width, x + n * head->n_streams * width);
    if (head->stable) divide_by_largest(normed + n * width, head->width);
  }
  atl_nn_norm_forward(&head->norm, normed, normed, n_rows, NULL);
}
