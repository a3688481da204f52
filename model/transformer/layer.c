#include "model/transformer/layer.h"

#include <string.h>

#include "model/kernels/norm/norm.h"
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

/* The (D) vectors of a branch, copied: the model may go after loading. */
static atl_status_t init_vectors(atl_branch_t *branch, const atl_transformer_source_t *source,
                                 const atl_sublayer_tensors_t *own, atl_arena_t *arena, atl_arena_t *temporary) {
  size_t width = (size_t)source->config->width;
  const struct {
    const float **to;
    const atl_parameter_t *from;
  } vectors[] = {{&branch->norm_weight, &own->vectors.norm_weight},
                 {&branch->norm_bias, &own->vectors.norm_bias},
                 {&branch->scale, &own->vectors.scale},
                 {&branch->norm_out_weight, &own->vectors.norm_out_weight},
                 {&branch->norm_out_bias, &own->vectors.norm_out_bias}};
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
  ATL_TRY(atl_linear_new(&in, &branch->in));
  return atl_linear_new(&out, &branch->out);
}

/* The tensors of a sublayer of layer i_layer. */
static const atl_sublayer_tensors_t *sublayer_of(const atl_transformer_source_t *source, int32_t i_layer,
                                                 atl_sublayer_t kind) {
  const atl_layer_tensors_t *layer = &source->tensors.layers[i_layer];
  return is_attention(kind) ? &layer->attention : &layer->feed_forward;
}

/* Linears come from `made`, a layer of the part that has them already, or from the file when that is NULL. */
static atl_status_t init_branch(atl_branch_t *branch, const atl_transformer_source_t *source,
                                const atl_transformer_part_t *part, int32_t i_layer, atl_sublayer_t kind,
                                const atl_branch_t *made, atl_arena_t *arena) {
  const atl_transformer_config_t *c = source->config;
  int32_t i_owner = (is_attention(kind) ? c->attention_owner : c->feed_forward_owner)[i_layer];
  atl_arena_t temporary = {0};
  atl_status_t status = init_vectors(branch, source, sublayer_of(source, i_layer, kind), arena, &temporary);
  if (made != NULL) {
    branch->in = made->in;
    branch->out = made->out;
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
  const atl_branch_t *made = attention_owner ? &attention_owner->attention : NULL;
  ATL_TRY(init_branch(&layer->attention, source, part, i_layer, ATL_SUBLAYER_ATTENTION, made, arena));
  made = feed_forward_owner ? &feed_forward_owner->feed_forward : NULL;
  return init_branch(&layer->feed_forward, source, part, i_layer, ATL_SUBLAYER_FEED_FORWARD, made, arena);
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
  atl_linear_destroy(&branch->in);
  atl_linear_destroy(&branch->out);
}

void atl_layer_clear(atl_layer_t *layer) {
  clear_branch(&layer->attention);
  clear_branch(&layer->feed_forward);
}

static void poke(const atl_layer_work_t *work) {
  if (work->poke != NULL) work->poke(work->context);
}

/* h(n,D) <- shift(norm(x)); x is one of the C streams. */
static void enter(atl_branch_t *branch, atl_layer_work_t *work, const float *x) {
  const atl_transformer_config_t *c = work->config;
  const atl_rows_t *rows = &work->rows;
  int64_t width = c->width, ldx = atl_transformer_row_width(c);
  const float *from = x;
  if (ldx != width) {
    for (int64_t i = 0; i < rows->n_rows; i++) memcpy(work->h + i * width, x + i * ldx, (size_t)width * sizeof *x);
    from = work->h;
  }
  atl_norm_layer(work->h, from, branch->norm_weight, branch->norm_bias, rows->n_rows, width);
  if (!c->shift_tokens) return;
  for (int64_t i = 0; i < rows->n_rows; i++) {
    const atl_row_t *row = &rows->rows[i];
    float *h = work->h + i * width;
    if (atl_row_is_text(rows, row))
      atl_shift_text(&branch->shift, h, row->sequence, row->position);
    else
      atl_shift_image(&branch->shift, h, row->sequence, atl_row_token(rows, row));
  }
}

/* x += scale * norm_out(out(core)); core(n,n_in) has rows n_in apart. */
static void leave(const atl_branch_t *branch, atl_layer_work_t *work, float *x, const float *core, int64_t n_in) {
  const atl_transformer_config_t *c = work->config;
  int64_t width = c->width, ldx = atl_transformer_row_width(c), n_rows = work->rows.n_rows;
  if (!c->sandwich_norm) {
    const atl_epilogue_t epilogue = {.scale = branch->scale, .residual = x, .ld_residual = ldx};
    atl_linear_apply(branch->out, x, ldx, core, n_in, n_rows, &epilogue);
    return;
  }
  atl_linear_apply(branch->out, work->tall, width, core, n_in, n_rows, NULL);
  atl_norm_layer(work->tall, work->tall, branch->norm_out_weight, branch->norm_out_bias, n_rows, width);
  for (int64_t n = 0; n < n_rows; n++)
    for (int64_t i = 0; i < width; i++) x[n * ldx + i] += branch->scale[i] * work->tall[n * width + i];
}

void atl_layer_run(atl_layer_t *layer, atl_layer_work_t *work, float *x) {
  const atl_transformer_config_t *c = work->config;
  int64_t n_rows = work->rows.n_rows, width = c->width, inner = inner_width(c);
  float *x1 = x, *x2 = c->reversible ? x + width : x;

  enter(&layer->attention, work, x2);                                                         /* h(n,D) */
  atl_linear_apply(layer->attention.in, work->wide, 3 * inner, work->h, width, n_rows, NULL); /* q,k,v (n,3HE) */
  poke(work);
  atl_attention_run(&work->attention, &layer->cache, work->mixed, work->wide, &work->rows); /* (n,HE) */
  poke(work);
  leave(&layer->attention, work, x1, work->mixed, inner);
  poke(work);

  enter(&layer->feed_forward, work, x1);                                                         /* h(n,D) */
  atl_linear_apply(layer->feed_forward.in, work->wide, 4 * width, work->h, width, n_rows, NULL); /* (n,4D) */
  poke(work);
  leave(&layer->feed_forward, work, x2, work->wide, 4 * width);
  poke(work);
}

void atl_layer_copy(atl_layer_t *layer, int32_t to, int32_t from, int32_t n_tokens) {
  atl_kvcache_copy(&layer->cache, to, from, n_tokens);
  if (layer->attention.shift.width == 0) return;
  atl_shift_copy(&layer->attention.shift, to, from);
  atl_shift_copy(&layer->feed_forward.shift, to, from);
}
