/* Patches are embedded by a convolution whose stride equals its kernel size. The class token comes first, and positions
 * are added; then ln_pre, the blocks, ln_post of the class token, and proj. The tower runs a few pictures at a time, so
 * that one pass over the weights serves several. */
#include "model/clip/vit.h"

#include <string.h>

#include "common/arena.h"
#include "model/clip/tower.h"
#include "model/nn/conv.h"
#include "model/nn/norm.h"

enum { ROWS_AT_ONCE = 512, MOST_AT_ONCE = 16 };

struct atl_clip_vit {
  atl_arena_t arena;
  int32_t size, width, n_positions, embedding_width; /* n_positions: class token and patches */
  int32_t n_at_once;
  const float *class_token; /* visual.class_embedding (W) */
  const float *positions;   /* visual.positional_embedding (n_positions,W) */
  atl_nn_conv_t patches;    /* visual.conv1.weight (W,3,p,p) */
  atl_nn_norm_t pre, post;  /* visual.ln_pre and ln_post (W) */
  atl_clip_tower_t *tower;
  atl_nn_linear_t projection; /* visual.proj (W,E_J), transposed */
  float *picture;             /* (size,size,3) */
  float *x;                   /* (n_at_once,n_positions,W) */
};

static atl_status_t read_patches(atl_clip_vit_t *vit, const atl_clip_source_t *source,
                                 const atl_clip_config_t *config) {
  atl_conv_spec_t spec = {.n_in = 3,
                          .n_out = config->vision_width,
                          .kernel = config->patch_size,
                          .stride = config->patch_size,
                          .height = config->image_size,
                          .width = config->image_size,
                          .dtype = source->dtype};
  atl_arena_t converted = {0};
  atl_status_t status = ATL_WEIGHTS_BIND(source->weights, &converted, source->tensors->vit.patches);
  spec.weight = source->tensors->vit.patches.value;
  if (status == ATL_OK) status = atl_nn_conv_init(&vit->patches, &spec);
  atl_arena_clear(&converted);
  return status;
}

static atl_status_t read_tower(atl_clip_vit_t *vit, const atl_clip_source_t *source, const atl_clip_config_t *config) {
  const atl_clip_tower_spec_t spec = {.width = vit->width,
                                      .n_heads = config->vision_heads,
                                      .n_layers = config->vision_layers,
                                      .n_positions = vit->n_positions,
                                      .n_sequences = vit->n_at_once};
  return atl_clip_tower_new(source, source->tensors->vit.blocks, &spec, &vit->tower);
}

static atl_status_t read_vectors(atl_clip_vit_t *vit, const atl_clip_source_t *source) {
  const atl_clip_tensors_t *t = source->tensors;
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, &vit->arena, t->vit.vectors));
  vit->class_token = t->vit.vectors.class_token.value;
  vit->positions = t->vit.vectors.positions.value;
  vit->pre = (atl_nn_norm_t){t->vit.vectors.ln_pre.weight.value, t->vit.vectors.ln_pre.bias.value, vit->width};
  vit->post = (atl_nn_norm_t){t->vit.vectors.ln_post.weight.value, t->vit.vectors.ln_post.bias.value, vit->width};
  return ATL_OK;
}

static atl_status_t init(atl_clip_vit_t *vit, const atl_clip_source_t *source, const atl_clip_config_t *config) {
  int32_t grid = config->image_size / config->patch_size;
  vit->size = config->image_size;
  vit->width = config->vision_width;
  vit->embedding_width = config->embedding_width;
  vit->n_positions = grid * grid + 1;
  vit->n_at_once = ROWS_AT_ONCE / vit->n_positions;
  if (vit->n_at_once < 1) vit->n_at_once = 1;
  if (vit->n_at_once > MOST_AT_ONCE) vit->n_at_once = MOST_AT_ONCE;
  ATL_TRY(read_vectors(vit, source));
  ATL_TRY(read_patches(vit, source, config));
  ATL_TRY(read_tower(vit, source, config));
  ATL_TRY(atl_clip_read_projection(source, &source->tensors->vit.projection, vit->width, vit->embedding_width,
                                   &vit->projection));
  ATL_TRY(ATL_TAKE(&vit->arena, (int64_t)vit->size * vit->size * 3, &vit->picture));
  return ATL_TAKE(&vit->arena, (int64_t)vit->n_at_once * vit->n_positions * vit->width, &vit->x);
}

atl_status_t atl_clip_vit_new(const atl_clip_source_t *source, const atl_clip_config_t *config, atl_clip_vit_t **vit) {
  ATL_TRY(ATL_NEW(1, vit));
  atl_status_t status = init(*vit, source, config);
  if (status != ATL_OK) atl_clip_vit_destroy(vit);
  return status;
}

void atl_clip_vit_destroy(atl_clip_vit_t **vit) {
  if (!*vit) return;
  atl_nn_conv_clear(&(*vit)->patches);
  atl_clip_tower_destroy(&(*vit)->tower);
  atl_nn_linear_clear(&(*vit)->projection);
  atl_arena_clear(&(*vit)->arena);
  ATL_DESTROY(vit);
}

/* x(n_positions,W) <- one picture (3,size,size): class token and patches, positions added. */
static void embed(atl_clip_vit_t *vit, float *x, const float *image) {
  int64_t n_pixels = (int64_t)vit->size * vit->size, n = (int64_t)vit->n_positions * vit->width;
  for (int64_t i = 0; i < n_pixels; i++)
    for (int64_t c = 0; c < 3; c++) vit->picture[i * 3 + c] = image[c * n_pixels + i];
  memcpy(x, vit->class_token, (size_t)vit->width * sizeof *x);
  atl_nn_conv_forward(&vit->patches, x + vit->width, vit->picture, 1, NULL); /* (n_positions-1,W) */
  for (int64_t i = 0; i < n; i++) x[i] += vit->positions[i];
}

static void run_some(atl_clip_vit_t *vit, float *features, const float *images, int32_t n) {
  int64_t image_items = (int64_t)vit->size * vit->size * 3, n_rows = (int64_t)n * vit->n_positions;
  int64_t ldx = (int64_t)vit->n_positions * vit->width; /* from a class token to the next */
  float *x = vit->x;
  for (int32_t i = 0; i < n; i++) embed(vit, x + i * ldx, images + i * image_items); /* x(n,n_positions,W) */
  atl_nn_norm_forward(&vit->pre, x, x, n_rows, NULL);
  atl_clip_tower_run(vit->tower, x, n, vit->n_positions, 0); /* the class tokens of x */
  for (int32_t i = 0; i < n; i++) atl_nn_norm_forward(&vit->post, x + i * ldx, x + i * ldx, 1, NULL);
  atl_nn_linear_forward_into(&vit->projection, features, vit->embedding_width, x, ldx, n, NULL, NULL); /* (n,E_J) */
}

void atl_clip_vit_run(atl_clip_vit_t *vit, float *features, const float *images, int32_t n) {
  int64_t image_items = (int64_t)vit->size * vit->size * 3;
  for (int32_t i = 0; i < n; i += vit->n_at_once)
    run_some(vit, features + (int64_t)i * vit->embedding_width, images + i * image_items,
             n - i < vit->n_at_once ? n - i : vit->n_at_once);
}

size_t atl_clip_vit_bytes(const atl_clip_vit_t *vit) {
  size_t scratch = (size_t)vit->size * (size_t)vit->size * 3 +
                   (size_t)vit->n_at_once * (size_t)vit->n_positions * (size_t)vit->width;
  return atl_conv_bytes(vit->patches.packed) + atl_clip_tower_bytes(vit->tower) +
         atl_linear_bytes(vit->projection.packed) + scratch * sizeof(float);
}

/* Per row, W floats of x and 9 W in the tower; and the picture. */
int64_t atl_clip_vit_scratch_items(const atl_clip_config_t *config) {
  return 10 * (int64_t)ROWS_AT_ONCE * config->vision_width + 3 * (int64_t)config->image_size * config->image_size;
}
