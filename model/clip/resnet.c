/* OpenAI's ResNet: three stem convolutions and a 2x2 average pool; bottlenecks whose convolutions all have stride 1,
 * with a 2x2 average pool before the last convolution and before the shortcut's where the side halves; an attention
 * pool.
 *
 * Batch norms are folded into the convolutions before them: w' = w g / sqrt(v + 1e-5), b' = b - m g / sqrt(v + 1e-5).
 * A picture uses four buffers; the last convolution of a bottleneck adds into the shortcut.
 */
#include "model/clip/resnet.h"

#include <math.h>
#include <string.h>

#include "common/arena.h"
#include "model/nn/attention.h"
#include "model/nn/conv.h"

enum { N_STAGES = 4, EXPANSION = 4, N_STEM = 3, N_BUFFERS = 4 };

typedef struct {
  atl_nn_conv_t conv1, conv2, conv3;
  atl_nn_conv_t shortcut; /* downsample.0, with has_shortcut */
  bool has_shortcut;
  int32_t side; /* of the input */
  int32_t n_in, n_planes;
  bool halves;
} bottleneck_t;

struct atl_clip_resnet {
  atl_arena_t arena;
  int32_t size, embedding_width, n_heads;
  atl_nn_conv_t stem[N_STEM];
  bottleneck_t *blocks;
  int32_t n_blocks;
  int32_t n_tokens, width;          /* attention pool: 1 + side^2 tokens of 32 x stem width */
  const float *positions;           /* attnpool.positional_embedding (n_tokens,width) */
  atl_nn_linear_t q, k, v, project; /* attnpool.{q,k,v,c}_proj */
  atl_nn_attention_t attention;
  float *buffers[N_BUFFERS];
  size_t n_items[N_BUFFERS];
  float *tokens, *queries, *keys, *values, *attended; /* of the attention pool */
};

/* ---- reading ---- */

/* The batch norm after a convolution, as scale and shift of its output channels. */
static atl_status_t fold_norm(const atl_clip_source_t *source, const atl_clip_conv_tensors_t *tensors, int32_t n,
                              float *scale, float *shift) {
  const float *weight = tensors->weight.value, *bias = tensors->bias.value;
  const float *mean = tensors->running_mean.value, *variance = tensors->running_var.value;
  for (int32_t i = 0; i < n; i++) {
    ATL_CHECK(variance[i] >= 0, INPUT, "%s: tensor %s: item %d is %g; a variance must not be negative",
              atl_safetensors_path(source->weights->file), atl_weights_name_of(source->weights, &tensors->running_var),
              i, (double)variance[i]);
    double factor = (double)weight[i] / sqrt((double)variance[i] + 1e-5);
    scale[i] = (float)factor;
    shift[i] = (float)((double)bias[i] - (double)mean[i] * factor);
  }
  return ATL_OK;
}

static atl_status_t fold(const atl_clip_source_t *source, const atl_clip_conv_tensors_t *tensors, atl_arena_t *arena,
                         atl_conv_spec_t *spec) {
  int64_t row = (int64_t)spec->n_in * spec->kernel * spec->kernel;
  float *folded, *scale, *shift;
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, arena, *tensors));
  ATL_TRY(ATL_TAKE(arena, spec->n_out * row, &folded));
  ATL_TRY(ATL_TAKE(arena, spec->n_out, &scale));
  ATL_TRY(ATL_TAKE(arena, spec->n_out, &shift));
  ATL_TRY(fold_norm(source, tensors, spec->n_out, scale, shift));
  for (int64_t i = 0; i < spec->n_out * row; i++) folded[i] = tensors->conv.value[i] * scale[i / row];
  spec->weight = folded;
  spec->bias = shift;
  return ATL_OK;
}

/* A convolution with its batch norm folded in. */
static atl_status_t read_conv(const atl_clip_source_t *source, const atl_clip_conv_tensors_t *tensors,
                              atl_conv_spec_t spec, atl_nn_conv_t *conv) {
  atl_arena_t temporary = {0};
  spec.dtype = source->dtype;
  atl_status_t status = fold(source, tensors, &temporary, &spec);
  if (status == ATL_OK) status = atl_nn_conv_init(conv, &spec);
  atl_arena_clear(&temporary);
  return status;
}

static atl_conv_spec_t conv_spec(int32_t n_in, int32_t n_out, int32_t kernel, int32_t side) {
  return (atl_conv_spec_t){.n_in = n_in,
                           .n_out = n_out,
                           .kernel = kernel,
                           .stride = 1,
                           .padding = kernel / 2,
                           .height = side,
                           .width = side,
                           .has_relu = true};
}

static void need(atl_clip_resnet_t *resnet, int i_buffer, int64_t side, int64_t width) {
  size_t n = (size_t)(side * side * width);
  if (n > resnet->n_items[i_buffer]) resnet->n_items[i_buffer] = n;
}

static atl_status_t read_stem(atl_clip_resnet_t *resnet, const atl_clip_source_t *source, int32_t width) {
  int32_t side = resnet->size / 2;
  atl_conv_spec_t first = conv_spec(3, width / 2, 3, resnet->size);
  first.stride = 2;
  const atl_clip_conv_tensors_t *stem = source->tensors->resnet.stem;
  ATL_TRY(read_conv(source, &stem[0], first, &resnet->stem[0]));
  ATL_TRY(read_conv(source, &stem[1], conv_spec(width / 2, width / 2, 3, side), &resnet->stem[1]));
  ATL_TRY(read_conv(source, &stem[2], conv_spec(width / 2, width, 3, side), &resnet->stem[2]));
  need(resnet, 0, resnet->size, 3);
  need(resnet, 1, side, width / 2);
  need(resnet, 0, side, width / 2);
  need(resnet, 1, side, width);
  need(resnet, 0, side / 2, width);
  return ATL_OK;
}

/* Loads a block and grows the buffers to its needs: 0 holds the picture, 1 and 2 the residual branch, 3 the input of
 * the shortcut's convolution. */
static atl_status_t read_block(atl_clip_resnet_t *resnet, const atl_clip_source_t *source,
                               const atl_clip_bottleneck_tensors_t *tensors, bottleneck_t *block) {
  int32_t planes = block->n_planes, n_out = planes * EXPANSION, side = block->halves ? block->side / 2 : block->side;
  atl_conv_spec_t last = conv_spec(planes, n_out, 1, side), beside = conv_spec(block->n_in, n_out, 1, side);
  last.accumulates = true;
  beside.has_relu = false;
  ATL_TRY(read_conv(source, &tensors->conv1, conv_spec(block->n_in, planes, 1, block->side), &block->conv1));
  ATL_TRY(read_conv(source, &tensors->conv2, conv_spec(planes, planes, 3, block->side), &block->conv2));
  ATL_TRY(read_conv(source, &tensors->conv3, last, &block->conv3));
  block->has_shortcut = block->halves || block->n_in != n_out;
  if (block->has_shortcut) ATL_TRY(read_conv(source, &tensors->shortcut, beside, &block->shortcut));
  need(resnet, 0, side, n_out);
  need(resnet, 1, block->side, planes);
  need(resnet, 2, block->side, planes);
  need(resnet, 3, side, block->n_in);
  need(resnet, 1, side, planes);
  return ATL_OK;
}

static atl_status_t read_blocks(atl_clip_resnet_t *resnet, const atl_clip_source_t *source,
                                const atl_clip_config_t *config) {
  int32_t n_blocks = 0, side = config->image_size / 4, n_in = config->vision_width;
  for (int32_t s = 0; s < N_STAGES; s++) n_blocks += config->vision_blocks[s];
  ATL_TRY(ATL_TAKE(&resnet->arena, n_blocks, &resnet->blocks));
  for (int32_t s = 0; s < N_STAGES; s++)
    for (int32_t i = 0; i < config->vision_blocks[s]; i++) {
      const atl_clip_bottleneck_tensors_t *tensors = &source->tensors->resnet.blocks[resnet->n_blocks];
      bottleneck_t *block = &resnet->blocks[resnet->n_blocks++];
      block->side = side;
      block->n_in = n_in;
      block->n_planes = config->vision_width << s;
      block->halves = s > 0 && i == 0;
      ATL_TRY(read_block(resnet, source, tensors, block));
      if (block->halves) side /= 2;
      n_in = block->n_planes * EXPANSION;
    }
  return ATL_OK;
}

static atl_status_t read_pool(atl_clip_resnet_t *resnet, const atl_clip_source_t *source) {
  int64_t width = resnet->width, n_tokens = resnet->n_tokens;
  const atl_clip_tensors_t *t = source->tensors;
  ATL_TRY(ATL_WEIGHTS_BIND(source->weights, &resnet->arena, t->resnet.positions));
  resnet->positions = t->resnet.positions.value;
  ATL_TRY(atl_clip_read_linear(source, &t->resnet.q, width, width, ATL_ACTIVATION_NONE, &resnet->q));
  ATL_TRY(atl_clip_read_linear(source, &t->resnet.k, width, width, ATL_ACTIVATION_NONE, &resnet->k));
  ATL_TRY(atl_clip_read_linear(source, &t->resnet.v, width, width, ATL_ACTIVATION_NONE, &resnet->v));
  ATL_TRY(atl_clip_read_linear(source, &t->resnet.project, resnet->embedding_width, width, ATL_ACTIVATION_NONE,
                               &resnet->project));
  ATL_TRY(ATL_TAKE(&resnet->arena, n_tokens * width, &resnet->tokens));
  ATL_TRY(ATL_TAKE(&resnet->arena, width, &resnet->queries));
  ATL_TRY(ATL_TAKE(&resnet->arena, n_tokens * width, &resnet->keys));
  ATL_TRY(ATL_TAKE(&resnet->arena, n_tokens * width, &resnet->values));
  ATL_TRY(ATL_TAKE(&resnet->arena, width, &resnet->attended));
  const atl_nn_attention_spec_t attention = {.n_heads = resnet->n_heads,
                                             .head_size = resnet->width / resnet->n_heads,
                                             .most_keys = resnet->n_tokens,
                                             .n_threads = 1};
  return atl_nn_attention_init(&resnet->attention, &attention, &resnet->arena);
}

static atl_status_t init(atl_clip_resnet_t *resnet, const atl_clip_source_t *source, const atl_clip_config_t *config) {
  int32_t side = config->image_size / 32;
  ATL_CHECK(config->vision_width % 2 == 0, INPUT, "%s: a ResNet's width should be even, found %d",
            atl_safetensors_path(source->weights->file), config->vision_width);
  for (int32_t s = 0; s < N_STAGES; s++)
    ATL_CHECK(config->vision_blocks[s] > 0, INPUT, "%s: expected blocks in visual.layer%d, found none",
              atl_safetensors_path(source->weights->file), s + 1);
  resnet->size = config->image_size;
  resnet->embedding_width = config->embedding_width;
  resnet->n_heads = config->vision_heads;
  resnet->width = config->vision_width * 32;
  resnet->n_tokens = side * side + 1;
  ATL_TRY(read_stem(resnet, source, config->vision_width));
  ATL_TRY(read_blocks(resnet, source, config));
  ATL_TRY(read_pool(resnet, source));
  for (int i = 0; i < N_BUFFERS; i++) ATL_TRY(ATL_TAKE(&resnet->arena, resnet->n_items[i], &resnet->buffers[i]));
  return ATL_OK;
}

atl_status_t atl_clip_resnet_new(const atl_clip_source_t *source, const atl_clip_config_t *config,
                                 atl_clip_resnet_t **resnet) {
  ATL_TRY(ATL_NEW(1, resnet));
  atl_status_t status = init(*resnet, source, config);
  if (status != ATL_OK) atl_clip_resnet_destroy(resnet);
  return status;
}

void atl_clip_resnet_destroy(atl_clip_resnet_t **resnet) {
  atl_clip_resnet_t *r = *resnet;
  if (!r) return;
  for (int i = 0; i < N_STEM; i++) atl_nn_conv_clear(&r->stem[i]);
  for (int32_t i = 0; i < r->n_blocks; i++) {
    atl_nn_conv_clear(&r->blocks[i].conv1);
    atl_nn_conv_clear(&r->blocks[i].conv2);
    atl_nn_conv_clear(&r->blocks[i].conv3);
    atl_nn_conv_clear(&r->blocks[i].shortcut);
  }
  atl_nn_linear_t *linears[] = {&r->q, &r->k, &r->v, &r->project};
  for (int i = 0; i < 4; i++) atl_nn_linear_clear(linears[i]);
  atl_arena_clear(&r->arena);
  ATL_DESTROY(resnet);
}

/* ---- running ---- */

/* y(side/2,side/2,width) <- 2x2 means of x(side,side,width). An odd last row or column is left out, as in PyTorch. */
static void pool(float *y, const float *x, int32_t side, int32_t width) {
  int64_t w = width, row = (int64_t)side * w, half = side / 2;
#pragma omp parallel for
  for (int64_t i = 0; i < half * half; i++) {
    const float *from = x + (i / half * 2) * row + (i % half * 2) * w;
    for (int64_t c = 0; c < w; c++) y[i * w + c] = (from[c] + from[w + c] + from[row + c] + from[row + w + c]) * 0.25f;
  }
}

/* Runs a block on the picture in buffer 0, in place: branch 0 -> 1 -> 2 (-> 1 when pooled); shortcut 0 -> 3 -> 0, or
 * none; then conv3 adds the branch into buffer 0. */
static void run_block(float *const buffers[N_BUFFERS], const bottleneck_t *block, size_t picture_items) {
  const float *path = buffers[2], *picture = buffers[0];
  atl_nn_conv_forward(&block->conv1, buffers[1], buffers[0], 1, NULL);
  atl_nn_conv_forward(&block->conv2, buffers[2], buffers[1], 1, NULL);
  if (block->halves) {
    pool(buffers[1], buffers[2], block->side, block->n_planes);
    pool(buffers[3], buffers[0], block->side, block->n_in);
    path = buffers[1];
    picture = buffers[3];
  } else if (block->has_shortcut) {
    memcpy(buffers[3], buffers[0], picture_items * sizeof(float)); /* a convolution cannot run in place */
    picture = buffers[3];
  }
  if (block->has_shortcut) atl_nn_conv_forward(&block->shortcut, buffers[0], picture, 1, NULL);
  atl_nn_conv_forward(&block->conv3, buffers[0], path, 1, NULL);
}

/* tokens(n_tokens,width) <- [mean of the pixels, pixels(n_tokens-1,width)] + positions */
static void gather_tokens(atl_clip_resnet_t *resnet, const float *pixels) {
  int64_t width = resnet->width, n_pixels = resnet->n_tokens - 1;
  for (int64_t c = 0; c < width; c++) {
    double sum = 0;
    for (int64_t i = 0; i < n_pixels; i++) sum += (double)pixels[i * width + c];
    resnet->tokens[c] = (float)(sum / (double)n_pixels) + resnet->positions[c];
  }
  for (int64_t i = 0; i < n_pixels * width; i++) resnet->tokens[width + i] = pixels[i] + resnet->positions[width + i];
}

/* features(E_J) <- tokens: the first token attends over all. */
static void run_pool(atl_clip_resnet_t *resnet, float *features) {
  int32_t n = resnet->n_tokens;
  const atl_nn_attention_input_t input = {.q = resnet->queries,
                                          .k = resnet->keys,
                                          .v = resnet->values,
                                          .stride = resnet->width,
                                          .n_sequences = 1,
                                          .n_keys = n,
                                          .n_queries = 1};
  atl_nn_linear_forward(&resnet->q, resnet->queries, resnet->tokens, 1, NULL);  /* queries(1,W) */
  atl_nn_linear_forward(&resnet->k, resnet->keys, resnet->tokens, n, NULL);     /* keys(n_tokens,W) */
  atl_nn_linear_forward(&resnet->v, resnet->values, resnet->tokens, n, NULL);   /* values(n_tokens,W) */
  atl_nn_attention_forward(&resnet->attention, resnet->attended, &input, NULL); /* attended(1,W) */
  atl_nn_linear_forward(&resnet->project, features, resnet->attended, 1, NULL); /* features(E_J) */
}

static void run_picture(atl_clip_resnet_t *resnet, float *features, const float *image) {
  int64_t n_pixels = (int64_t)resnet->size * resnet->size;
  float *const *buffers = resnet->buffers;
  for (int64_t i = 0; i < n_pixels; i++)
    for (int64_t c = 0; c < 3; c++) buffers[0][i * 3 + c] = image[c * n_pixels + i];
  atl_nn_conv_forward(&resnet->stem[0], buffers[1], buffers[0], 1, NULL);
  atl_nn_conv_forward(&resnet->stem[1], buffers[0], buffers[1], 1, NULL);
  atl_nn_conv_forward(&resnet->stem[2], buffers[1], buffers[0], 1, NULL);
  pool(buffers[0], buffers[1], resnet->size / 2, resnet->width / 32);
  for (int32_t i = 0; i < resnet->n_blocks; i++) {
    const bottleneck_t *block = &resnet->blocks[i];
    run_block(buffers, block, (size_t)block->side * (size_t)block->side * (size_t)block->n_in);
  }
  gather_tokens(resnet, buffers[0]);
  run_pool(resnet, features);
}

void atl_clip_resnet_run(atl_clip_resnet_t *resnet, float *features, const float *images, int32_t n) {
  int64_t image_items = (int64_t)resnet->size * resnet->size * 3;
  for (int32_t i = 0; i < n; i++)
    run_picture(resnet, features + (int64_t)i * resnet->embedding_width, images + i * image_items);
}

size_t atl_clip_resnet_bytes(const atl_clip_resnet_t *resnet) {
  size_t items = (size_t)(3 * resnet->n_tokens + 2) * (size_t)resnet->width, bytes = 0;
  for (int i = 0; i < N_STEM; i++) bytes += atl_conv_bytes(resnet->stem[i].packed);
  for (int32_t i = 0; i < resnet->n_blocks; i++) {
    const bottleneck_t *block = &resnet->blocks[i];
    bytes +=
        atl_conv_bytes(block->conv1.packed) + atl_conv_bytes(block->conv2.packed) + atl_conv_bytes(block->conv3.packed);
    if (block->has_shortcut) bytes += atl_conv_bytes(block->shortcut.packed);
  }
  for (int i = 0; i < N_BUFFERS; i++) items += resnet->n_items[i];
  return bytes + atl_linear_bytes(resnet->q.packed) + atl_linear_bytes(resnet->k.packed) +
         atl_linear_bytes(resnet->v.packed) + atl_linear_bytes(resnet->project.packed) + items * sizeof(float);
}

/* Buffers 0 to 3 hold at most 1/4, 1/4, 1/8 and 1/4 times image_size^2 * vision_width floats; see the calls of `need`.
 */
int64_t atl_clip_resnet_scratch_items(const atl_clip_config_t *config) {
  return (int64_t)config->image_size * config->image_size * config->vision_width * 7 / 8;
}
