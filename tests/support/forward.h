/* Forward: a transformer cut into stages that run one after the other in this process, for tests. In a job each stage
 * runs on its own rank.
 *
 *     forward_t f;
 *     forward_init(&f, model, &(forward_spec_t){.n_stages = 2, .n_prefixes = 3, .n_samples = 3, .max_rows = 99});
 *     forward_rows(&f, logits, rows, tokens, n);
 *     forward_clear(&f);
 */
#ifndef ATL_TESTS_SUPPORT_FORWARD_H
#define ATL_TESTS_SUPPORT_FORWARD_H

#include <string.h>

#include "common/memory.h"
#include "model/transformer/transformer.h"

enum { FORWARD_MAX_STAGES = 4 };

typedef struct {
  int n_stages;
  int32_t n_prefixes, n_samples, max_rows;
  atl_dtype_t dtype, kv; /* 0 is ATL_F32 */
  atl_backend_t backend;
} forward_spec_t;

typedef struct {
  const atl_transformer_config_t *config;
  forward_spec_t spec;
  atl_transformer_t *stages[FORWARD_MAX_STAGES];
  float *x; /* (max_rows,C,D), the residual streams */
} forward_t;

static inline void forward_clear(forward_t *f) {
  for (int i = 0; i < FORWARD_MAX_STAGES; i++) atl_transformer_destroy(&f->stages[i]);
  ATL_DESTROY(&f->x);
}

static inline atl_status_t forward_init(forward_t *f, const atl_model_t *model, const forward_spec_t *spec) {
  *f = (forward_t){.config = &model->transformer_config, .spec = *spec};
  int32_t n_layers = f->config->n_layers;
  ATL_TRY(ATL_NEW(spec->max_rows * atl_transformer_row_width(f->config), &f->x));
  for (int i = 0; i < spec->n_stages; i++) {
    atl_transformer_part_t part = {.first_layer = n_layers * i / spec->n_stages,
                                   .end_layer = n_layers * (i + 1) / spec->n_stages,
                                   .n_prefixes = spec->n_prefixes,
                                   .n_samples = spec->n_samples,
                                   .max_rows = spec->max_rows,
                                   .dtype = spec->dtype,
                                   .kv = spec->kv,
                                   .backend = spec->backend};
    ATL_TRY(atl_transformer_new(model, &part, &f->stages[i]));
  }
  return ATL_OK;
}

static inline atl_transformer_t *forward_last(const forward_t *f) { return f->stages[f->spec.n_stages - 1]; }

static inline void forward_bind(forward_t *f, int32_t sample, int32_t prefix) {
  for (int i = 0; i < f->spec.n_stages; i++) atl_transformer_bind(f->stages[i], sample, prefix);
}

/* Embeds the tokens of n <= max_rows rows into f->x and runs f->x through all stages. */
static inline void forward_run(forward_t *f, const atl_row_t *rows, const int32_t *tokens, int32_t n) {
  atl_transformer_embed(f->stages[0], f->x, rows, tokens, n);
  for (int i = 0; i < f->spec.n_stages; i++) atl_transformer_run(f->stages[i], f->x, rows, n, NULL, NULL);
}

/* logits(n,V) <- rows and tokens, n <= max_rows. */
static inline void forward_rows(forward_t *f, float *logits, const atl_row_t *rows, const int32_t *tokens, int32_t n) {
  forward_run(f, rows, tokens, n);
  atl_transformer_all_logits(forward_last(f), logits, f->x, rows, n);
}

/* Fills rows and tokens with positions [first,end) of sequence b, which is prefix b and sample b, from text(T) and
 * image(I). Returns end - first. */
static inline int32_t forward_list(const atl_transformer_config_t *c, atl_row_t *rows, int32_t *tokens, int32_t b,
                                   const int32_t *text, const int32_t *image, int32_t first, int32_t end) {
  for (int32_t p = first; p < end; p++) {
    rows[p - first] = (atl_row_t){.sequence = b, .position = p};
    tokens[p - first] = p == 0 ? 0 : p <= c->text_length ? text[p - 1] : image[p - c->text_length - 1];
  }
  return end - first;
}

#endif
