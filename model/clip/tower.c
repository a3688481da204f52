/* Norms and linear layers run over the rows of all sequences at once, attention over (sequence, head). The result is
 * one position of each sequence, so the last block computes attention and feed-forward for that position only. */
#include "model/clip/tower.h"

#include <omp.h>

#include "common/arena.h"
#include "model/nn/attention.h"
#include "model/nn/norm.h"

typedef struct {
  atl_nn_norm_t ln_1, ln_2; /* resblocks.N.ln_1.* and ln_2.* (W) */
  atl_nn_linear_t qkv;      /* attn.in_proj_weight (3W,W) */
  atl_nn_linear_t out;      /* attn.out_proj.weight (W,W) */
  atl_nn_linear_t up;       /* mlp.c_fc.weight (4W,W), with QuickGELU */
  atl_nn_linear_t down;     /* mlp.c_proj.weight (W,4W) */
} block_t;

struct atl_clip_tower {
  atl_clip_tower_spec_t spec;
  atl_arena_t arena;
  block_t *blocks;
  atl_nn_attention_t attention;
  float *normed, *qkv, *attended, *hidden; /* (rows,W), (rows,3W), (rows,W), (rows,4W) */
};

static atl_status_t read_block(const atl_clip_source_t *source, const atl_clip_block_tensors_t *tensors, int64_t width,
                               atl_arena_t *arena, block_t *block) {
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, arena, tensors->norms));
  block->ln_1 = (atl_nn_norm_t){tensors->norms.ln_1.weight.value, tensors->norms.ln_1.bias.value, width};
  block->ln_2 = (atl_nn_norm_t){tensors->norms.ln_2.weight.value, tensors->norms.ln_2.bias.value, width};
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
  ATL_TRY(ATL_TAKE(&tower->arena, items, &tower->attended));
  ATL_TRY(ATL_TAKE(&tower->arena, 4 * items, &tower->hidden));
  const atl_nn_attention_spec_t attention = {.n_heads = spec->n_heads,
                                             .head_size = spec->width / spec->n_heads,
                                             .most_keys = spec->n_positions,
                                             .n_threads = omp_get_max_threads(),
                                             .is_causal = spec->is_causal};
  return atl_nn_attention_init(&tower->attention, &attention, &tower->arena);
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
    atl_nn_linear_clear(&block->qkv);
    atl_nn_linear_clear(&block->out);
    atl_nn_linear_clear(&block->up);
    atl_nn_linear_clear(&block->down);
  }
  atl_arena_clear(&(*tower)->arena);
  ATL_DESTROY(tower);
}

/* normed(n,W) <- norm(x(n,W)), with rows of x ldx apart. */
static void normalize(atl_clip_tower_t *tower, const atl_nn_norm_t *norm, const float *x, int64_t ldx, int64_t n) {
  int64_t w = tower->spec.width;
  if (ldx == w) {
    atl_nn_norm_forward(norm, tower->normed, x, n, NULL);
    return;
  }
  for (int64_t i = 0; i < n; i++) atl_nn_norm_forward(norm, tower->normed + i * w, x + i * ldx, 1, NULL);
}

/* Applies a block. All rows of x are keys and values; the n_sequences * n_queries rows at `out`, ldx apart, are
 * updated. They are all rows of x, or one position of each sequence. */
static void run_block(atl_clip_tower_t *tower, const block_t *block, const float *x,
                      const atl_nn_attention_input_t *input, float *out, int64_t ldx) {
  int64_t w = tower->spec.width, n = (int64_t)input->n_sequences * input->n_keys;
  int64_t n_out = (int64_t)input->n_sequences * input->n_queries;
  const atl_epilogue_t add = {.residual = out, .ld_residual = ldx};

  normalize(tower, &block->ln_1, x, w, n);                                                  /* normed(n,W) */
  atl_nn_linear_forward(&block->qkv, tower->qkv, tower->normed, n, NULL);                   /* qkv(n,3W) */
  atl_nn_attention_forward(&tower->attention, tower->attended, input, NULL);                /* attended(n_out,W) */
  atl_nn_linear_forward_into(&block->out, out, ldx, tower->attended, w, n_out, &add, NULL); /* x += */

  normalize(tower, &block->ln_2, out, ldx, n_out);                                             /* normed(n_out,W) */
  atl_nn_linear_forward(&block->up, tower->hidden, tower->normed, n_out, NULL);                /* hidden(n_out,4W) */
  atl_nn_linear_forward_into(&block->down, out, ldx, tower->hidden, 4 * w, n_out, &add, NULL); /* x += */
}

void atl_clip_tower_run(atl_clip_tower_t *tower, float *x, int32_t n_sequences, int32_t n_positions, int32_t wanted) {
  int64_t w = tower->spec.width;
  ATL_ASSERT(n_sequences <= tower->spec.n_sequences && n_positions <= tower->spec.n_positions && wanted < n_positions);
  atl_nn_attention_input_t input = {.q = tower->qkv,
                                    .k = tower->qkv + w,
                                    .v = tower->qkv + 2 * w,
                                    .stride = 3 * w,
                                    .n_sequences = n_sequences,
                                    .n_keys = n_positions,
                                    .n_queries = n_positions};
  if (tower->spec.n_layers == 0) return;
  for (int32_t i = 0; i < tower->spec.n_layers - 1; i++) run_block(tower, &tower->blocks[i], x, &input, x, w);
  input.first_query = wanted;
  input.n_queries = 1;
  run_block(tower, &tower->blocks[tower->spec.n_layers - 1], x, &input, x + wanted * w, n_positions * w);
}

size_t atl_clip_tower_bytes(const atl_clip_tower_t *tower) {
  const atl_clip_tower_spec_t *spec = &tower->spec;
  size_t bytes = (size_t)spec->n_positions * (size_t)spec->n_sequences * (size_t)spec->width * 9 * sizeof(float) +
                 atl_nn_attention_bytes(&tower->attention.spec);
  for (int32_t i = 0; i < spec->n_layers; i++) {
    const block_t *block = &tower->blocks[i];
    bytes += atl_linear_bytes(block->qkv.packed) + atl_linear_bytes(block->out.packed) +
             atl_linear_bytes(block->up.packed) + atl_linear_bytes(block->down.packed);
  }
  return bytes;
}
