/* Both halves are chains of convolutions over channels-last pictures, run one picture at a time. They use three
 * buffers: one for the current picture and two for the residual branch of a block, whose last convolution adds into the
 * picture.
 *
 * encoder: L x (4x4 stride 2, ReLU), R residual blocks, 1x1 to V_i logits.      tokens: argmax, lowest on a tie
 * decoder: codebook rows, [1x1 K -> h and R residual blocks if R > 0], L x (transposed 4x4 stride 2, ReLU), 1x1 to C
 * residual block: x + 1x1(ReLU(3x3(ReLU(3x3(x)))))
 */
#include "model/vae/dvae.h"

#include <math.h>
#include <string.h>

#include "model/kernels/activation/activation.h"
#include "model/nn/conv.h"
#include "model/nn/embedding.h"
#include "model/vae/dvae_tensors.h"

enum { N_BUFFERS = 3 };

typedef struct {
  atl_nn_conv_t conv;
  int from, to; /* buffer indices */
} step_t;

typedef struct {
  step_t *steps;
  int32_t n_steps, capacity;
  int current;               /* index of the buffer that holds the picture after the last step */
  int32_t side, width;       /* of that picture: (side, side, width) */
  size_t n_items[N_BUFFERS]; /* floats of the largest picture in each buffer */
  float *buffers[N_BUFFERS];
} chain_t;

struct atl_dvae {
  atl_vae_config_t config;
  atl_arena_t arena;
  chain_t encoder, decoder;
  atl_nn_conv_t to_pixels;     /* the decoder's last 1x1, fused into the step before it */
  atl_nn_embedding_t codebook; /* codebook.weight (V_i,K) */
  int32_t side;                /* f: tokens a side; I = f^2 */
};

static void note_size(chain_t *chain) {
  size_t n = (size_t)chain->side * (size_t)chain->side * (size_t)chain->width;
  if (n > chain->n_items[chain->current]) chain->n_items[chain->current] = n;
}

static atl_status_t begin_chain(chain_t *chain, atl_arena_t *arena, int32_t side, int32_t width, int32_t capacity) {
  chain->side = side;
  chain->width = width;
  chain->capacity = capacity;
  note_size(chain);
  return ATL_TAKE(arena, capacity, &chain->steps);
}

/* Packs the convolution of a weight and a bias. */
static atl_status_t read_conv(const atl_weights_t *weights, const atl_dvae_conv_tensors_t *tensors,
                              atl_conv_spec_t spec, atl_nn_conv_t *conv) {
  atl_arena_t converted = {0};
  atl_status_t status = ATL_WEIGHTS_BIND(weights, &converted, *tensors);
  spec.backend = ATL_BACKEND_AUTO;
  spec.weight = tensors->weight.value;
  spec.bias = tensors->bias.value;
  if (status == ATL_OK) status = atl_nn_conv_init(conv, &spec);
  atl_arena_clear(&converted);
  return status;
}

/* Appends a convolution from the current buffer to `to`. */
static atl_status_t append(chain_t *chain, const atl_weights_t *weights, const atl_dvae_conv_tensors_t *tensors,
                           atl_conv_spec_t spec, int to) {
  spec.n_in = chain->width;
  spec.height = spec.width = chain->side;
  ATL_ASSERT(chain->n_steps < chain->capacity);
  step_t *step = &chain->steps[chain->n_steps++];
  step->from = chain->current;
  step->to = to;
  ATL_TRY(read_conv(weights, tensors, spec, &step->conv));
  chain->current = to;
  chain->side = atl_conv_out_height(step->conv.packed);
  chain->width = atl_conv_n_results(step->conv.packed);
  note_size(chain);
  return ATL_OK;
}

static atl_status_t append_block(chain_t *chain, const atl_weights_t *weights, const atl_dvae_block_tensors_t *block) {
  int32_t width = chain->width;
  int home = chain->current, first = (home + 1) % N_BUFFERS, second = (home + 2) % N_BUFFERS;
  const atl_conv_spec_t square = {.n_out = width, .kernel = 3, .stride = 1, .padding = 1, .has_relu = true};
  const atl_conv_spec_t add = {.n_out = width, .kernel = 1, .stride = 1, .accumulates = true};
  ATL_TRY(append(chain, weights, &block->first, square, first));
  ATL_TRY(append(chain, weights, &block->second, square, second));
  return append(chain, weights, &block->third, add, home);
}

/* Appends L convolutions that halve or double the side. The 1x1 convolution `then`, unless NULL, is fused into the
 * last. */
static atl_status_t append_scalings(chain_t *chain, const atl_weights_t *weights, const atl_vae_config_t *config,
                                    const atl_dvae_conv_tensors_t *scalings, bool doubles, const atl_conv_t *then) {
  atl_conv_spec_t spec = {.n_out = config->hidden_width, .kernel = 4, .stride = 2, .padding = 1, .has_relu = true};
  spec.is_transposed = doubles;
  for (int32_t i = 0; i < config->n_layers; i++) {
    if (i == config->n_layers - 1) spec.then = then;
    ATL_TRY(append(chain, weights, &scalings[i], spec, (chain->current + 1) % N_BUFFERS));
  }
  return ATL_OK;
}

static atl_status_t append_pointwise(chain_t *chain, const atl_weights_t *weights,
                                     const atl_dvae_conv_tensors_t *tensors, int32_t n_out) {
  const atl_conv_spec_t spec = {.n_out = n_out, .kernel = 1, .stride = 1};
  return append(chain, weights, tensors, spec, (chain->current + 1) % N_BUFFERS);
}

static atl_status_t take_buffers(chain_t *chain, atl_arena_t *arena) {
  for (int i = 0; i < N_BUFFERS; i++) ATL_TRY(ATL_TAKE(arena, chain->n_items[i], &chain->buffers[i]));
  return ATL_OK;
}

static int32_t count_steps(const atl_vae_config_t *config) { return config->n_layers + 3 * config->n_res_blocks + 2; }

static atl_status_t init_encoder(atl_dvae_t *vae, const atl_weights_t *weights, const atl_dvae_tensors_t *tensors) {
  const atl_vae_config_t *config = &vae->config;
  chain_t *chain = &vae->encoder;
  ATL_TRY(begin_chain(chain, &vae->arena, config->image_size, config->n_channels, count_steps(config)));
  ATL_TRY(append_scalings(chain, weights, config, tensors->halvings, false, NULL));
  for (int32_t i = 0; i < config->n_res_blocks; i++) ATL_TRY(append_block(chain, weights, &tensors->encoder_blocks[i]));
  ATL_TRY(append_pointwise(chain, weights, &tensors->to_logits, config->n_tokens));
  return take_buffers(chain, &vae->arena);
}

/* The decoder's last 1x1. It runs on the four quarters that the last transposed convolution computes, of half the side.
 */
static atl_status_t read_pixels(atl_dvae_t *vae, const atl_weights_t *weights, const atl_dvae_tensors_t *tensors) {
  const atl_conv_spec_t spec = {.n_in = vae->config.hidden_width,
                                .n_out = vae->config.n_channels,
                                .kernel = 1,
                                .stride = 1,
                                .height = vae->config.image_size / 2,
                                .width = vae->config.image_size / 2};
  return read_conv(weights, &tensors->to_pixels, spec, &vae->to_pixels);
}

static atl_status_t init_decoder(atl_dvae_t *vae, const atl_weights_t *weights, const atl_dvae_tensors_t *tensors) {
  const atl_vae_config_t *config = &vae->config;
  chain_t *chain = &vae->decoder;
  ATL_TRY(ATL_WEIGHTS_BIND(weights, &vae->arena, tensors->codebook));
  vae->codebook = (atl_nn_embedding_t){tensors->codebook.value, config->n_tokens, config->codebook_width};
  ATL_TRY(begin_chain(chain, &vae->arena, vae->side, config->codebook_width, count_steps(config)));
  if (config->n_res_blocks > 0)
    ATL_TRY(append_pointwise(chain, weights, &tensors->from_codebook, config->hidden_width));
  for (int32_t i = 0; i < config->n_res_blocks; i++) ATL_TRY(append_block(chain, weights, &tensors->decoder_blocks[i]));
  ATL_TRY(read_pixels(vae, weights, tensors));
  ATL_TRY(append_scalings(chain, weights, config, tensors->doublings, true, vae->to_pixels.packed));
  return take_buffers(chain, &vae->arena);
}

static atl_status_t init(atl_dvae_t *vae, const atl_safetensors_t *file, int parts) {
  atl_dvae_tensors_t tensors = {0};
  atl_weights_t weights;
  atl_status_t status = atl_weights_open(&atl_dvae_table, &vae->config, file, &tensors, &weights);
  if (status == ATL_OK && (parts & ATL_DVAE_DECODER)) status = init_decoder(vae, &weights, &tensors);
  if (status == ATL_OK && (parts & ATL_DVAE_ENCODER)) status = init_encoder(vae, &weights, &tensors);
  atl_weights_close(&weights);
  return status;
}

atl_status_t atl_dvae_new(const atl_model_t *model, int parts, atl_dvae_t **vae) {
  *vae = NULL;
  ATL_CHECK(model->has_vae, INPUT, "%s: the model has no VAE; add one with atelier convert --vae", model->directory);
  ATL_TRY(ATL_NEW(1, vae));
  (*vae)->config = model->vae_config;
  (*vae)->side = model->vae_config.image_size >> model->vae_config.n_layers;
  atl_status_t status = init(*vae, model->vae, parts);
  if (status != ATL_OK) atl_dvae_destroy(vae);
  return status;
}

static void clear_chain(chain_t *chain) {
  for (int32_t i = 0; i < chain->n_steps; i++) atl_nn_conv_clear(&chain->steps[i].conv);
}

void atl_dvae_destroy(atl_dvae_t **vae) {
  if (!*vae) return;
  clear_chain(&(*vae)->encoder);
  clear_chain(&(*vae)->decoder);
  atl_nn_conv_clear(&(*vae)->to_pixels);
  atl_arena_clear(&(*vae)->arena);
  ATL_DESTROY(vae);
}

/* Runs all steps on the picture in buffer 0; returns the buffer with the result. */
static const float *run_chain(const chain_t *chain) {
  for (int32_t i = 0; i < chain->n_steps; i++) {
    const step_t *step = &chain->steps[i];
    atl_nn_conv_forward(&step->conv, chain->buffers[step->to], chain->buffers[step->from], 1, NULL);
  }
  return chain->buffers[chain->current];
}

atl_status_t atl_dvae_decode(atl_dvae_t *vae, float *pixels, const int32_t *tokens, int32_t n) {
  const atl_vae_config_t *config = &vae->config;
  size_t length = (size_t)vae->side * (size_t)vae->side;
  size_t n_channels = (size_t)config->n_channels, n_pixels = (size_t)config->image_size * (size_t)config->image_size;
  for (size_t i = 0; i < (size_t)n * length; i++)
    ATL_CHECK(tokens[i] >= 0 && tokens[i] < config->n_tokens, INPUT, "image token %d at %zu: expected 0..%d", tokens[i],
              i, config->n_tokens - 1);
  for (int32_t b = 0; b < n; b++, tokens += length) {
    atl_nn_embedding_forward(&vae->codebook, vae->decoder.buffers[0], tokens, (int64_t)length, NULL); /* (f,f,K) */
    const float *last = run_chain(&vae->decoder);
    for (size_t c = 0; c < n_channels; c++)
      for (size_t i = 0; i < n_pixels; i++) *pixels++ = last[i * n_channels + c];
  }
  return ATL_OK;
}

void atl_dvae_encode(atl_dvae_t *vae, int32_t *tokens, const float *rgb, int32_t n) {
  const atl_vae_config_t *config = &vae->config;
  size_t length = (size_t)vae->side * (size_t)vae->side, n_tokens = (size_t)config->n_tokens;
  size_t n_channels = (size_t)config->n_channels, n_pixels = (size_t)config->image_size * (size_t)config->image_size;
  for (int32_t b = 0; b < n; b++) {
    for (size_t c = 0; c < n_channels; c++)
      for (size_t i = 0; i < n_pixels; i++)
        vae->encoder.buffers[0][i * n_channels + c] = (*rgb++ - config->mean[c]) / config->std[c];
    const float *logits = run_chain(&vae->encoder);
    for (size_t i = 0; i < length; i++)
      *tokens++ = (int32_t)atl_activation_argmax(logits + i * n_tokens, config->n_tokens);
  }
}

void atl_dvae_to_rgb(const atl_dvae_t *vae, uint8_t *rgb, const float *pixels) {
  const atl_vae_config_t *config = &vae->config;
  size_t n_channels = (size_t)config->n_channels, n_pixels = (size_t)config->image_size * (size_t)config->image_size;
  for (size_t i = 0; i < n_pixels; i++)
    for (size_t c = 0; c < n_channels; c++) {
      float value = pixels[c * n_pixels + i] * config->std[c] + config->mean[c];
      *rgb++ = (uint8_t)(fminf(fmaxf(value, 0), 1) * 255 + 0.5f);
    }
}

static size_t chain_bytes(const chain_t *chain) {
  size_t bytes = 0;
  for (int32_t i = 0; i < chain->n_steps; i++) bytes += atl_conv_bytes(chain->steps[i].conv.packed);
  for (int i = 0; i < N_BUFFERS; i++) bytes += chain->n_items[i] * sizeof(float);
  return bytes;
}

size_t atl_dvae_bytes(const atl_dvae_t *vae) {
  size_t codebook = vae->codebook.weight ? (size_t)vae->config.n_tokens * (size_t)vae->config.codebook_width : 0;
  size_t pixels = vae->to_pixels.packed ? atl_conv_bytes(vae->to_pixels.packed) : 0;
  return pixels + chain_bytes(&vae->encoder) + chain_bytes(&vae->decoder) + codebook * sizeof(float);
}

size_t atl_dvae_memory(const atl_vae_config_t *config) {
  int64_t h = config->hidden_width, side = config->image_size, grid = side >> config->n_layers;
  int64_t n = atl_table_n_parameters(&atl_dvae_table, config, "codebook", 1 << ATL_TENSOR_TABLE) +
              atl_table_n_parameters(&atl_dvae_table, config, "decoder", 1 << ATL_TENSOR_WEIGHT);
  n += side * side * (config->n_channels + h / 4 + h / 16) + grid * grid * config->codebook_width; /* buffers */
  for (int32_t i = 0; i < config->n_layers; i++) n += (grid << i) * (grid << i) * h; /* a doubling's products */
  return (size_t)(n + side * side / 4 * config->n_channels) * sizeof(float);
}
