/* x + out(attention(ln_1(x))); x + down(quick_gelu(up(ln_2(x)))), in rows of all sequences at once where a row stands
 * for itself, in heads of one sequence where it does not. Of the last block only one position of each sequence is
 * read, so after its attention the others are left as they are. */
#include <omp.h>

#include "common/memory.h"
#include "model/clip/clip_private.h"
#include "model/kernels/norm/norm.h"

typedef struct {
  const float *ln_1_weight, *ln_1_bias; /* resblocks.N.ln_1.* (W) */
  const float *ln_2_weight, *ln_2_bias;
  atl_linear_t *qkv;  /* attn.in_proj_weight (3W,W) */
  atl_linear_t *out;  /* attn.out_proj.weight (W,W) */
  atl_linear_t *up;   /* mlp.c_fc.weight (4W,W) */
  atl_linear_t *down; /* mlp.c_proj.weight (W,4W) */
} block_t;

struct atl_clip_tower {
  atl_clip_tower_spec_t spec;
  atl_arena_t arena;
  block_t *blocks;
  float *normed, *qkv, *mixed, *hidden; /* (rows,W), (rows,3W), (rows,W), (rows,4W) */
  int n_threads;
  float *heads; /* (n_threads, head_items) */
  size_t head_items;
};

static atl_status_t read_block(const atl_clip_source_t *source, const atl_clip_block_tensors_t *tensors, int64_t width,
                               atl_arena_t *arena, block_t *block) {
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, arena, tensors->norms));
  block->ln_1_weight = tensors->norms.ln_1.weight.value, block->ln_1_bias = tensors->norms.ln_1.bias.value;
  block->ln_2_weight = tensors->norms.ln_2.weight.value, block->ln_2_bias = tensors->norms.ln_2.bias.value;
  ATL_TRY(atl_clip_read_linear(source, &tensors->qkv, 3 * width, width, ATL_ACTIVATION_NONE, &block->qkv));
  ATL_TRY(atl_clip_read_linear(source, &tensors->out, width, width, ATL_ACTIVATION_NONE, &block->out));
  ATL_TRY(atl_clip_read_linear(source, &tensors->up, 4 * width, width, ATL_ACTIVATION_QUICK_GELU, &block->up));
  return atl_clip_read_linear(source, &tensors->down, width, 4 * width, ATL_ACTIVATION_NONE, &block->down);
}

static atl_status_t take_scratch(atl_clip_tower_t *tower) {
  const atl_clip_tower_spec_t *spec = &tower->spec;
  int64_t items = (int64_t)spec->n_positions * spec->n_sequences * spec->width;
  ATL_TRY(ATL_TAKE(&tower->arena, items, &tower->normed));
  ATL_TRY(ATL_TAKE(&tower->arena, 3 * items, &tower->qkv));
  ATL_TRY(ATL_TAKE(&tower->arena, items, &tower->mixed));
  ATL_TRY(ATL_TAKE(&tower->arena, 4 * items, &tower->hidden));
  tower->n_threads = omp_get_max_threads();
  tower->head_items = atl_clip_attention_items(spec->n_positions, spec->width / spec->n_heads);
  return ATL_TAKE(&tower->arena, (size_t)tower->n_threads * tower->head_items, &tower->heads);
}

atl_status_t atl_clip_tower_new(const atl_clip_source_t *source, const atl_clip_block_tensors_t *blocks,
                                const atl_clip_tower_spec_t *spec, atl_clip_tower_t **tower) {
  ATL_TRY(ATL_NEW(1, tower));
  (*tower)->spec = *spec;
  atl_status_t status = ATL_TAKE(&(*tower)->arena, spec->n_layers, &(*tower)->blocks);
  for (int32_t i = 0; status == ATL_OK && i < spec->n_layers; i++)
    status = read_block(source, &blocks[i], spec->width, &(*tower)->arena, &(*tower)->blocks[i]);
  if (status == ATL_OK) status = take_scratch(*tower);
  if (status != ATL_OK) atl_clip_tower_destroy(tower);
  return status;
}

void atl_clip_tower_destroy(atl_clip_tower_t **tower) {
  if (!*tower) return;
  for (int32_t i = 0; (*tower)->blocks && i < (*tower)->spec.n_layers; i++) {
    block_t *block = &(*tower)->blocks[i];
    atl_linear_destroy(&block->qkv);
    atl_linear_destroy(&block->out);
    atl_linear_destroy(&block->up);
    atl_linear_destroy(&block->down);
  }
  atl_arena_clear(&(*tower)->arena);
  ATL_DESTROY(tower);
}

/* mixed(n_sequences,n_queries,W) <- all heads of all sequences, from qkv: queries [first_query, first_query +
 * n_queries).
 */
static void attend(atl_clip_tower_t *tower, int32_t n_sequences, int32_t n_positions, int32_t first_query,
                   int32_t n_queries) {
  int64_t width = tower->spec.width, n_heads = tower->spec.n_heads, head_size = width / n_heads;
#pragma omp parallel for num_threads(tower->n_threads)
  for (int64_t i = 0; i < n_sequences * n_heads; i++) {
    int64_t i_sequence = i / n_heads, column = i % n_heads * head_size;
    const float *qkv = tower->qkv + i_sequence * n_positions * 3 * width + column;
    atl_clip_attention_t head = {.q = qkv,
                                 .k = qkv + width,
                                 .v = qkv + 2 * width,
                                 .stride = 3 * width,
                                 .features = tower->mixed + i_sequence * n_queries * width + column,
                                 .out_stride = width,
                                 .first_query = first_query,
                                 .n_queries = n_queries,
                                 .n_keys = n_positions,
                                 .head_size = (int32_t)head_size,
                                 .is_causal = tower->spec.is_causal};
    atl_clip_attend(&head, tower->heads + (size_t)omp_get_thread_num() * tower->head_items);
  }
}

/* What is needed of all rows, whoever is wanted: queries, keys and values. */
static void project(atl_clip_tower_t *tower, const block_t *block, const float *x, int64_t n_rows) {
  int64_t w = tower->spec.width;
  atl_norm_layer(tower->normed, x, block->ln_1_weight, block->ln_1_bias, n_rows, w);
  atl_linear_apply(block->qkv, tower->qkv, 3 * w, tower->normed, w, n_rows, NULL);
}

/* x(n_rows,W), rows ldx apart: what attention gave is in mixed(n_rows,W). */
static void finish(atl_clip_tower_t *tower, const block_t *block, float *x, int64_t ldx, int64_t n_rows) {
  int64_t w = tower->spec.width;
  const atl_epilogue_t add = {.residual = x, .ld_residual = ldx};
  atl_linear_apply(block->out, x, ldx, tower->mixed, w, n_rows, &add);
  if (ldx == w)
    atl_norm_layer(tower->normed, x, block->ln_2_weight, block->ln_2_bias, n_rows, w);
  else
    for (int64_t i = 0; i < n_rows; i++)
      atl_norm_layer(tower->normed + i * w, x + i * ldx, block->ln_2_weight, block->ln_2_bias, 1, w);
  atl_linear_apply(block->up, tower->hidden, 4 * w, tower->normed, w, n_rows, NULL);
  atl_linear_apply(block->down, x, ldx, tower->hidden, 4 * w, n_rows, &add);
}

void atl_clip_tower_run(atl_clip_tower_t *tower, float *x, int32_t n_sequences, int32_t n_positions, int32_t wanted) {
  int64_t w = tower->spec.width, n_rows = (int64_t)n_sequences * n_positions;
  ATL_ASSERT(n_sequences <= tower->spec.n_sequences && n_positions <= tower->spec.n_positions && wanted < n_positions);
  for (int32_t i = 0; i < tower->spec.n_layers; i++) {
    bool is_last = i == tower->spec.n_layers - 1;
    project(tower, &tower->blocks[i], x, n_rows);
    attend(tower, n_sequences, n_positions, is_last ? wanted : 0, is_last ? 1 : n_positions);
    if (is_last)
      finish(tower, &tower->blocks[i], x + wanted * w, n_positions * w, n_sequences);
    else
      finish(tower, &tower->blocks[i], x, w, n_rows);
  }
}

size_t atl_clip_tower_bytes(const atl_clip_tower_t *tower) {
  const atl_clip_tower_spec_t *spec = &tower->spec;
  size_t bytes = (size_t)spec->n_positions * (size_t)spec->n_sequences * (size_t)spec->width * 9 * sizeof(float) +
                 (size_t)tower->n_threads * tower->head_items * sizeof(float);
  for (int32_t i = 0; i < spec->n_layers; i++) {
    const block_t *block = &tower->blocks[i];
    bytes += atl_linear_bytes(block->qkv) + atl_linear_bytes(block->out) + atl_linear_bytes(block->up) +
             atl_linear_bytes(block->down);
  }
  return bytes;
}
