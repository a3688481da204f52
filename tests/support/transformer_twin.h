/* Transformer twin: the plain forward pass of docs/model.md over a whole sequence, written from the formulas and never
 * optimised. It has no cache, rows, stages or kernels: every layer processes all positions at once and sums in double.
 * Tests compare the transformer with it for configurations without results of the reference.
 *
 *     twin_logits(&model, logits, text, image, n_positions);     -- logits(n_positions,V), masked
 */
#ifndef ATL_TESTS_SUPPORT_TRANSFORMER_TWIN_H
#define ATL_TESTS_SUPPORT_TRANSFORMER_TWIN_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "model/checkpoint/model.h"
#include "model/transformer/names.h"

typedef struct {
  const atl_model_t *model;
  const atl_transformer_config_t *c;
  int32_t n; /* positions */
  atl_arena_t arena;
} twin_t;

static inline float *twin_room(twin_t *t, int64_t n) {
  float *room = NULL;
  ATL_ASSERT(ATL_TAKE(&t->arena, n, &room) == ATL_OK);
  return room;
}

static inline const float *twin_find(const twin_t *t, const char *name) {
  const atl_tensor_t *tensor = atl_safetensors_find(t->model->transformer, name);
  return tensor == NULL ? NULL : tensor->data;
}

static inline const float *twin_part(const twin_t *t, int32_t layer, atl_sublayer_t kind, const char *tail) {
  char prefix[ATL_NAME_BYTES], name[2 * ATL_NAME_BYTES];
  snprintf(name, sizeof name, "%s.%s", atl_names_prefix(t->c->reversible, layer, kind, prefix), tail);
  const atl_tensor_t *tensor = atl_names_find(t->model->transformer, name);
  return tensor == NULL ? NULL : tensor->data;
}

/* y(n,O) = x(n,I) W(O,I)^T + b */
static inline void twin_linear(float *y, const float *x, const float *w, const float *b, int64_t n, int64_t O,
                               int64_t I) {
  for (int64_t m = 0; m < n; m++)
    for (int64_t o = 0; o < O; o++) {
      double sum = b == NULL ? 0 : (double)b[o];
      for (int64_t i = 0; i < I; i++) sum += (double)x[m * I + i] * (double)w[o * I + i];
      y[m * O + o] = (float)sum;
    }
}

static inline void twin_norm(float *x, const float *w, const float *b, int64_t n, int64_t D) {
  for (int64_t m = 0; m < n; m++, x += D) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < D; i++) mean += (double)x[i] / (double)D;
    for (int64_t i = 0; i < D; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)D;
    for (int64_t i = 0; i < D; i++)
      x[i] = (float)(((double)x[i] - mean) / sqrt(variance + 1e-5) * (double)w[i] + (double)b[i]);
  }
}

/* Token shift (docs/model.md): returns the position that a channel of position p is taken from, or -1 for zero. */
static inline int32_t twin_shift_source(const twin_t *t, int32_t p, int32_t channel) {
  int32_t n_text = t->c->text_length + 1, f = t->c->image_side, D = t->c->width;
  int32_t j = p - n_text, half = (D + 1) / 2, quarter = (D + 3) / 4;
  if (j < 0) return channel < half ? p - 1 : p;
  if (channel < quarter) return j / f == 0 ? -1 : p - f;
  if (channel < 2 * quarter) return j % f == 0 ? -1 : p - 1;
  return p;
}

static inline void twin_shift(twin_t *t, float *h) {
  int32_t D = t->c->width;
  float *copy = twin_room(t, (int64_t)t->n * D);
  memcpy(copy, h, (size_t)t->n * (size_t)D * sizeof *h);
  for (int32_t p = 0; p < t->n; p++)
    for (int32_t i = 0; i < D; i++) {
      int32_t source = twin_shift_source(t, p, i);
      h[p * D + i] = source < 0 ? 0 : copy[source * D + i];
    }
}

/* Attention masks (docs/model.md): may position p attend to position q? */
static inline bool twin_sees(const twin_t *t, atl_attention_kind_t kind, int32_t p, int32_t q) {
  int32_t n_text = t->c->text_length + 1, f = t->c->image_side;
  if (q > p) return false;
  if (q < n_text) return true;
  int32_t r = (p - n_text) / f, c = (p - n_text) % f, r_q = (q - n_text) / f, c_q = (q - n_text) % f;
  switch (kind) {
  case ATL_ATTENTION_FULL: return true;
  case ATL_ATTENTION_AXIAL_ROW: return r == r_q;
  case ATL_ATTENTION_AXIAL_COL: return c == c_q;
  case ATL_ATTENTION_CONV_LIKE: return r_q >= r - 4 && c_q >= c - 4 && c_q <= c;
  }
  return false;
}

/* Rotary embedding (docs/model.md) of the first R channels of a head of q, k or v at position p. */
static inline void twin_rotate(const twin_t *t, float *x, int32_t p) {
  const atl_tensor_t *tensor = atl_safetensors_find(t->model->transformer, "transformer.pos_emb");
  int64_t width = tensor->shape[2];
  const float *angle = (const float *)tensor->data + p * width;
  for (int64_t i = 0; i < width; i += 2) {
    double a = (double)x[i], b = (double)x[i + 1], c = cos((double)angle[i]), s = sin((double)angle[i]);
    x[i] = (float)(a * c - b * s);
    x[i + 1] = (float)(b * c + a * s);
  }
}

/* out(E) <- attention of one head at position p; qkv(n,3,H,E). weights(n) is workspace. */
static inline void twin_head(const twin_t *t, float *out, const float *qkv, atl_attention_kind_t kind, int32_t p,
                             int32_t head, double *weights) {
  int64_t E = t->c->head_size, inner = t->c->n_heads * E;
  const float *q = qkv + 3 * inner * p + head * E;
  double largest = -DBL_MAX, total = 0;
  for (int32_t i = 0; i <= p; i++) {
    const float *k = qkv + 3 * inner * i + inner + head * E;
    weights[i] = 0;
    for (int64_t e = 0; e < E; e++) weights[i] += (double)q[e] * (double)k[e] / sqrt((double)E);
    if (twin_sees(t, kind, p, i) && weights[i] > largest) largest = weights[i];
  }
  for (int32_t i = 0; i <= p; i++) total += weights[i] = twin_sees(t, kind, p, i) ? exp(weights[i] - largest) : 0;
  for (int64_t e = 0; e < E; e++) {
    double sum = 0;
    for (int32_t i = 0; i <= p; i++) sum += weights[i] / total * (double)qkv[3 * inner * i + 2 * inner + head * E + e];
    out[e] = (float)sum;
  }
}

static inline float *twin_attention(twin_t *t, const float *h, int32_t layer) {
  int64_t D = t->c->width, E = t->c->head_size, inner = t->c->n_heads * E;
  int32_t owner = t->c->attention_owner[layer];
  float *qkv = twin_room(t, 3 * inner * t->n), *mixed = twin_room(t, inner * t->n), *y = twin_room(t, D * t->n);
  double *weights = NULL;
  ATL_ASSERT(ATL_TAKE(&t->arena, t->n, &weights) == ATL_OK);
  twin_linear(qkv, h, twin_part(t, owner, ATL_SUBLAYER_ATTENTION, "to_qkv.weight"), NULL, t->n, 3 * inner, D);
  for (int32_t p = 0; t->c->rotary && p < t->n; p++)
    for (int64_t i = 0; i < 3 * t->c->n_heads; i++) twin_rotate(t, qkv + 3 * inner * p + i * E, p);
  for (int32_t p = 0; p < t->n; p++)
    for (int32_t i = 0; i < t->c->n_heads; i++)
      twin_head(t, mixed + inner * p + i * E, qkv, t->c->attention[layer], p, i, weights);
  twin_linear(y, mixed, twin_part(t, owner, ATL_SUBLAYER_ATTENTION, "to_out.0.weight"),
              twin_part(t, owner, ATL_SUBLAYER_ATTENTION, "to_out.0.bias"), t->n, D, inner);
  return y;
}

static inline float *twin_feed_forward(twin_t *t, const float *h, int32_t layer) {
  int64_t D = t->c->width;
  int32_t owner = t->c->feed_forward_owner[layer];
  float *up = twin_room(t, 8 * D * t->n), *mixed = twin_room(t, 4 * D * t->n), *y = twin_room(t, D * t->n);
  twin_linear(up, h, twin_part(t, owner, ATL_SUBLAYER_FEED_FORWARD, "net.0.weight"),
              twin_part(t, owner, ATL_SUBLAYER_FEED_FORWARD, "net.0.bias"), t->n, 8 * D, D);
  for (int32_t p = 0; p < t->n; p++)
    for (int64_t i = 0; i < 4 * D; i++) {
      double value = (double)up[8 * D * p + i], gate = (double)up[8 * D * p + 4 * D + i];
      mixed[4 * D * p + i] = (float)(value * gate / 2 * (1 + erf(gate / sqrt(2.0))));
    }
  twin_linear(y, mixed, twin_part(t, owner, ATL_SUBLAYER_FEED_FORWARD, "net.3.weight"),
              twin_part(t, owner, ATL_SUBLAYER_FEED_FORWARD, "net.3.bias"), t->n, D, 4 * D);
  return y;
}

/* to(n,D) += scale * norm_out(core(shift(norm(from)))) */
static inline void twin_branch(twin_t *t, float *to, const float *from, int32_t layer, atl_sublayer_t kind) {
  int64_t D = t->c->width;
  float *h = twin_room(t, D * t->n);
  memcpy(h, from, (size_t)(D * t->n) * sizeof *h);
  twin_norm(h, twin_part(t, layer, kind, "norm.weight"), twin_part(t, layer, kind, "norm.bias"), t->n, D);
  if (t->c->shift_tokens) twin_shift(t, h);
  float *y = kind == ATL_SUBLAYER_ATTENTION ? twin_attention(t, h, layer) : twin_feed_forward(t, h, layer);
  if (t->c->sandwich_norm)
    twin_norm(y, twin_part(t, layer, kind, "norm_out.weight"), twin_part(t, layer, kind, "norm_out.bias"), t->n, D);
  const float *scale = twin_part(t, layer, kind, "scale");
  for (int64_t i = 0; i < D * t->n; i++) to[i] += scale[i % D] * y[i];
}

/* x(n,D) <- embeddings of tokens and positions (docs/model.md, "What happens to a row"). */
static inline void twin_embed(const twin_t *t, float *x, const int32_t *text, const int32_t *image) {
  int32_t D = t->c->width, T = t->c->text_length, f = t->c->image_side, n_text = atl_config_text_vocabulary(t->c);
  const float *output = twin_find(t, "to_logits.1.weight");
  const float *text_table = t->c->share_embeddings ? output : twin_find(t, "text_emb.weight");
  const float *image_table = t->c->share_embeddings ? output + n_text * D : twin_find(t, "image_emb.weight");
  for (int32_t p = 0; p < t->n; p++, x += D) {
    int32_t j = p - T - 1, id = 0;
    if (p > 0 && p <= T) id = text[p - 1] == 0 ? t->c->n_text_tokens + p - 1 : text[p - 1];
    memcpy(x, j < 0 ? text_table + id * D : image_table + image[j] * D, (size_t)D * sizeof *x);
    for (int32_t i = 0; !t->c->rotary && i < D; i++) {
      if (j < 0)
        x[i] += twin_find(t, "text_pos_emb.weight")[p * D + i];
      else
        x[i] += ((const float *)atl_names_find(t->model->transformer, "image_pos_emb.weights.0")->data)[j / f * D + i] +
                ((const float *)atl_names_find(t->model->transformer, "image_pos_emb.weights.1")->data)[j % f * D + i];
    }
  }
}

/* logits(n,V) <- x(n,D), masked (docs/model.md, "What happens to a row"). Overwrites x. */
static inline void twin_head_logits(twin_t *t, float *logits, float *x) {
  int64_t D = t->c->width, V = atl_config_vocabulary(t->c), n_text = atl_config_text_vocabulary(t->c);
  for (int32_t p = 0; t->c->stable && p < t->n; p++) {
    float largest = -FLT_MAX;
    for (int64_t i = 0; i < D; i++) largest = fmaxf(largest, x[p * D + i]);
    for (int64_t i = 0; i < D; i++) x[p * D + i] /= largest;
  }
  twin_norm(x, twin_find(t, "to_logits.0.weight"), twin_find(t, "to_logits.0.bias"), t->n, D);
  twin_linear(logits, x, twin_find(t, "to_logits.1.weight"), twin_find(t, "to_logits.1.bias"), t->n, V, D);
  for (int32_t p = 0; p < t->n; p++)
    for (int64_t id = 0; id < V; id++)
      if ((id < n_text) != (p < t->c->text_length)) logits[p * V + id] = -FLT_MAX;
}

static inline void twin_logits(const atl_model_t *model, float *logits, const int32_t *text, const int32_t *image,
                               int32_t n_positions) {
  twin_t t = {.model = model, .c = &model->transformer_config, .n = n_positions};
  int64_t n_items = (int64_t)n_positions * t.c->width;
  float *x1 = twin_room(&t, n_items), *x2 = twin_room(&t, n_items);
  twin_embed(&t, x1, text, image);
  if (t.c->reversible)
    memcpy(x2, x1, (size_t)n_items * sizeof *x1);
  else
    x2 = x1;
  for (int32_t i = 0; i < t.c->n_layers; i++) {
    twin_branch(&t, x1, x2, i, ATL_SUBLAYER_ATTENTION);
    twin_branch(&t, x2, x1, i, ATL_SUBLAYER_FEED_FORWARD);
  }
  for (int64_t i = 0; i < n_items; i++) x1[i] = (x1[i] + x2[i]) / 2;
  twin_head_logits(&t, logits, x1);
  atl_arena_clear(&t.arena);
}

#endif
