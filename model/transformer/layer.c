#include "model/transformer/layer.h"

#include <string.h>

#include "model/transformer/names.h"

static int32_t inner_width(const atl_transformer_config_t *c) { return c->n_heads * c->head_size; }

static bool is_attention(atl_sublayer_t kind) { return kind == ATL_SUBLAYER_ATTENTION; }

static atl_linear_spec_t spec_in(const atl_transformer_config_t *c, const atl_transformer_part_t *part,
                                 atl_sublayer_t kind) {
  return (atl_linear_spec_t){.n_out = is_attention(kind) ? 3 * inner_width(c) : 8 * c->width,
                             .n_in = c->width,
                             .dtype = part->dtype,
                             .backend = part->backend,
                             .activation = is_attention(kind) ? ATL_ACTIVATION_NONE : ATL_ACTIVATION_GEGLU};
}

static atl_linear_spec_t spec_out(const atl_transformer_config_t *c, const atl_transformer_part_t *part,
                                  atl_sublayer_t kind) {
  return (atl_linear_spec_t){.n_out = c->width,
                             .n_in = is_attention(kind) ? inner_width(c) : 4 * c->width,
                             .dtype = part->dtype,
                             .backend = part->backend};
}

static atl_kvcache_shape_t cache_shape(const atl_transformer_config_t *c, const atl_transformer_part_t *part,
                                       int32_t i_layer) {
  return (atl_kvcache_shape_t){.kind = c->attention[i_layer],
                               .text_dtype = part->dtype,
                               .image_dtype = part->kv,
                               .n_text = c->text_length + 1,
                               .image_side = c->image_side,
                               .n_heads = c->n_heads,
                               .head_size = c->head_size,
                               .n_prefixes = part->n_prefixes,
                               .n_samples = part->n_samples,
                               .n_together = part->n_together > 0 ? part->n_together : part->n_samples};
}

static void add_branch_bytes(const atl_transformer_config_t *c, const atl_transformer_part_t *part, atl_sublayer_t kind,
                             bool owns_linears, atl_transformer_bytes_t *bytes) {
  atl_linear_spec_t in = spec_in(c, part, kind), out = spec_out(c, part, kind);
  bytes->weights += (c->sandwich_norm ? 5 : 3) * (size_t)c->width * sizeof(float);
  if (owns_linears) bytes->weights += atl_linear_get_bytes(&in) + atl_linear_get_bytes(&out);
  size_t per_prefix = 0, per_sample = 0;
  if (c->shift_tokens) atl_shift_get_bytes(c->width, c->image_side, &per_prefix, &per_sample);
  bytes->per_prefix += per_prefix;
  bytes->per_sample += per_sample;
}

void atl_layer_get_bytes(const atl_transformer_config_t *config, const atl_transformer_part_t *part, int32_t i_layer,
                         bool owns_attention, bool owns_feed_forward, atl_transformer_bytes_t *bytes) {
  *bytes = (atl_transformer_bytes_t){0};
  atl_kvcache_shape_t shape = cache_shape(config, part, i_layer);
  atl_kvcache_get_bytes(&shape, &bytes->per_prefix, &bytes->per_sample);
  add_branch_bytes(config, part, ATL_SUBLAYER_ATTENTION, owns_attention, bytes);
  add_branch_bytes(config, part, ATL_SUBLAYER_FEED_FORWARD, owns_feed_forward, bytes);
}

/* Copies the (D) vectors of a branch, because the model may be closed after loading. */
static atl_status_t init_vectors(atl_branch_t *branch, const atl_transformer_source_t *source,
                                 const atl_sublayer_tensors_t *own, atl_arena_t *arena, atl_arena_t *temporary) {
  size_t width = (size_t)source->config->width;
  const struct {
    const float **to;
    const atl_parameter_t *from;
  } vectors[] = {{&branch->norm.weight, &own->vectors.norm_weight},
                 {&branch->norm.bias, &own->vectors.norm_bias},
                 {&branch->scale, &own->vectors.scale},
                 {&branch->norm_out.weight, &own->vectors.norm_out_weight},
                 {&branch->norm_out.bias, &own->vectors.norm_out_bias}};
  branch->norm.width = branch->norm_out.width = source->config->width;
  ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, own->vectors));
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    float *copy;
    if (vectors[i].from->value == NULL) continue;
    ATL_TRY(ATL_TAKE(arena, width, &copy));
    memcpy(copy, vectors[i].from->value, width * sizeof *copy);
    *vectors[i].to = copy;
  }
  return ATL_OK;
}

static atl_status_t init_linears(atl_branch_t *branch, const atl_transformer_source_t *source,
                                 const atl_sublayer_tensors_t *owner, const atl_transformer_part_t *part,
                                 atl_sublayer_t kind, atl_arena_t *temporary) {
  atl_linear_spec_t in = spec_in(source->config, part, kind), out = spec_out(source->config, part, kind);
  ATL_TRY(ATL_WEIGHTS_BIND(&source->weights, temporary, owner->linears));
  in.weight = owner->linears.in_weight.value, in.bias = owner->linears.in_bias.value;
  out.weight = owner->linears.out_weight.value, out.bias = owner->linears.out_bias.value;
  branch->owns_linears = true;
  ATL_TRY(atl_nn_linear_init(&branch->in, &in, NULL));
  return atl_nn_linear_init(&branch->out, &out, NULL);
}

/* The tensors of a sublayer of layer i_layer. */
static const atl_sublayer_tensors_t *sublayer_of(const atl_transformer_source_t *source, int32_t i_layer,
                                                 atl_sublayer_t kind) {
  const atl_layer_tensors_t *layer = &source->tensors.layers[i_layer];
  return is_attention(kind) ? &layer->attention : &layer->feed_forward;
}

/* The linear layers are those of `owner`, a branch of an earlier layer of the part, or are loaded when it is NULL. */
static atl_status_t init_branch(atl_branch_t *branch, const atl_transformer_source_t *source,
                                const atl_transformer_part_t *part, int32_t i_layer, atl_sublayer_t kind,
                                const atl_branch_t *owner, atl_arena_t *arena) {
  const atl_transformer_config_t *c = source->config;
  int32_t i_owner = (is_attention(kind) ? c->attention_owner : c->feed_forward_owner)[i_layer];
  atl_arena_t temporary = {0};
  atl_status_t status = init_vectors(branch, source, sublayer_of(source, i_layer, kind), arena, &temporary);
  if (owner != NULL) {
    branch->in = owner->in;
    branch->out = owner->out;
  } else if (status == ATL_OK) {
    status = init_linears(branch, source, sublayer_of(source, i_owner, kind), part, kind, &temporary);
  }
  atl_arena_clear(&temporary);
  return status;
}

atl_status_t atl_layer_init(atl_layer_t *layer, const atl_transformer_source_t *source,
                            const atl_transformer_part_t *part, int32_t i_layer, const atl_layer_t *attention_owner,
                            const atl_layer_t *feed_forward_owner, atl_arena_t *arena) {
  *layer = (atl_layer_t){0};
  const atl_branch_t *owner = attention_owner ? &attention_owner->attention : NULL;
  ATL_TRY(init_branch(&layer->attention, source, part, i_layer, ATL_SUBLAYER_ATTENTION, owner, arena));
  owner = feed_forward_owner ? &feed_forward_owner->feed_forward : NULL;
  return init_branch(&layer->feed_forward, source, part, i_layer, ATL_SUBLAYER_FEED_FORWARD, owner, arena);
}

atl_status_t atl_layer_init_state(atl_layer_t *layer, const atl_transformer_config_t *c,
                                  const atl_transformer_part_t *part, int32_t i_layer, atl_arena_t *arena) {
  atl_kvcache_shape_t shape = cache_shape(c, part, i_layer);
  ATL_TRY(atl_kvcache_init(&layer->cache, &shape, arena));
  atl_shift_t *const shifts[] = {&layer->attention.shift, &layer->feed_forward.shift};
  for (int i = 0; i < 2 && c->shift_tokens; i++)
    ATL_TRY(atl_shift_init(shifts[i], c->width, c->image_side, part->n_prefixes, part->n_samples, arena));
  return ATL_OK;
}

static void clear_branch(atl_branch_t *branch) {
  if (!branch->owns_linears) return;
  atl_nn_linear_clear(&branch->in);
  atl_nn_linear_clear(&branch->out);
}

void atl_layer_clear(atl_layer_t *layer) {
  clear_branch(&layer->attention);
  clear_branch(&layer->feed_forward);
}

static void progress(const atl_layer_workspace_t *work) {
  if (work->progress != NULL) work->progress(work->context);
}

/* Token shift of normed(n,D), in place; updates the shift state of the rows' sequences. */
static void shift_rows(atl_branch_t *branch, const atl_rows_t *rows, float *normed, int64_t width) {
  for (int64_t i = 0; i < rows->n_rows; i++) {
    const atl_row_t *row = &rows->rows[i];
    if (atl_row_is_text(rows, row))
      atl_shift_text(&branch->shift, normed + i * width, row->sequence, row->position);
    else
      atl_shift_image(&branch->shift, normed + i * width, row->sequence, atl_row_token(rows, row));
  }
}

/* normed(n,D) <- shift(norm(x)); x is one of the C streams. */
static void normalize_input(atl_branch_t *branch, atl_layer_workspace_t *work, const float *x) {
  const atl_transformer_config_t *c = work->config;
  int64_t n = work->rows.n_rows, width = c->width;
  const float *from = x;
  if (work->row_width != width) {
    for (int64_t i = 0; i < n; i++)
      memcpy(work->normed + i * width, x + i * work->row_width, (size_t)width * sizeof *x);
    from = work->normed;
  }
  atl_nn_norm_forward(&branch->norm, work->normed, from, n, NULL);
  if (c->shift_tokens) shift_rows(branch, &work->rows, work->normed, width);
}

/* x += scale * norm_out(out(core(n,I))); x is one of the C streams. */
static void add_to_residual(const atl_branch_t *branch, atl_layer_workspace_t *work, float *x, const float *core) {
  const atl_transformer_config_t *c = work->config;
  int64_t width = c->width, ldx = work->row_width, n_rows = work->rows.n_rows;
  if (!c->sandwich_norm) {
    const atl_epilogue_t epilogue = {.scale = branch->scale, .residual = x, .ld_residual = ldx};
    atl_nn_linear_forward_into(&branch->out, x, ldx, core, branch->out.n_in, n_rows, &epilogue, NULL);
    return;
  }
  atl_nn_linear_forward(&branch->out, work->projected, core, n_rows, NULL);
  atl_nn_norm_forward(&branch->norm_out, work->projected, work->projected, n_rows, NULL);
  for (int64_t n = 0; n < n_rows; n++)
    for (int64_t i = 0; i < width; i++) x[n * ldx + i] += branch->scale[i] * work->projected[n * width + i];
}

void atl_layer_forward(atl_layer_t *layer, atl_layer_workspace_t *work, float *x) {
  const atl_transformer_config_t *c = work->config;
  atl_branch_t *attention = &layer->attention, *feed_forward = &layer->feed_forward;
  int64_t n = work->rows.n_rows;
  float *x1 = x, *x2 = c->reversible ? x + c->width : x;

  normalize_input(attention, work, x2);                                    /* normed(n,D) */
  atl_nn_linear_forward(&attention->in, work->qkv, work->normed, n, NULL); /* qkv(n,3HE) */
  progress(work);
  atl_attention_forward(&work->attention, &layer->cache, work->attended, work->qkv, &work->rows); /* attended(n,HE) */
  progress(work);
  add_to_residual(attention, work, x1, work->attended); /* x1(n,D) */
  progress(work);

  normalize_input(feed_forward, work, x1);                                       /* normed(n,D) */
  atl_nn_linear_forward(&feed_forward->in, work->hidden, work->normed, n, NULL); /* hidden(n,4D) */
  progress(work);
  add_to_residual(feed_forward, work, x2, work->hidden); /* x2(n,D) */
  progress(work);
}

void atl_layer_copy(atl_layer_t *layer, int32_t to, int32_t from, int32_t n_tokens) {
  atl_kvcache_copy(&layer->cache, to, from, n_tokens);
  if (layer->attention.shift.width == 0) return;
  atl_shift_copy(&layer->attention.shift, to, from);
  atl_shift_copy(&layer->feed_forward.shift, to, from);
}
