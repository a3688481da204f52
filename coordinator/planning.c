#include "coordinator/planning.h"

#include "partition/cost.h"
#include "partition/hop.h"

enum { MICROBATCH = 32, PREFILL_ROWS = 64 }; /* costs are stated for one, packets have room for the other */

static int32_t max_rows_of(const atl_planning_t *planning) {
  int32_t b = planning->microbatch > 0 ? planning->microbatch : MICROBATCH, n = planning->is_guided ? 2 * b : b;
  return n > PREFILL_ROWS ? n : PREFILL_ROWS;
}

static atl_transformer_bytes_t bytes_of(const atl_transformer_config_t *config, const atl_planning_t *planning,
                                        int32_t first, int32_t end) {
  atl_transformer_part_t part = {.first_layer = first,
                                 .end_layer = end,
                                 .n_prefixes = 1,
                                 .n_samples = 1,
                                 .max_rows = max_rows_of(planning),
                                 .dtype = planning->dtype,
                                 .kv = planning->kv};
  atl_transformer_bytes_t bytes;
  atl_transformer_get_bytes(config, &part, &bytes);
  return bytes;
}

/* Weights by position, from a model of three such layers that share nothing: a stage needs its own copy of what layers
 * share across stages. Caches are the mean over the layers, whose kinds of attention differ. */
static void split_bytes(const atl_planning_t *planning, const atl_transformer_config_t *config,
                        atl_plan_bytes_t *bytes) {
  atl_transformer_config_t three = *config;
  three.n_layers = 3;
  for (int32_t i = 0; i < 3; i++) three.attention_owner[i] = three.feed_forward_owner[i] = i;
  atl_transformer_bytes_t all = bytes_of(config, planning, 0, config->n_layers);
  int64_t layer = (int64_t)bytes_of(&three, planning, 1, 2).weights, n = config->n_layers;
  bytes->layer_weights = layer;
  bytes->embedding_weights = (int64_t)bytes_of(&three, planning, 0, 1).weights - layer;
  bytes->head_weights = (int64_t)bytes_of(&three, planning, 2, 3).weights - layer;
  bytes->layer_per_prefix = ((int64_t)all.per_prefix + n - 1) / n;
  bytes->layer_per_sample = ((int64_t)all.per_sample + n - 1) / n;
  bytes->scratch = (int64_t)all.scratch;
}

static int64_t packet_bytes(const atl_planning_t *planning, const atl_transformer_config_t *config) {
  atl_hop_spec_t spec = {
      .n_buffers = 1, .max_rows = max_rows_of(planning), .row_width = atl_transformer_row_width(config)};
  return (int64_t)atl_hop_bytes(&spec);
}

/* Bytes of fp32 weights of dVAE and CLIP, and as much again for what they are packed into. */
static int64_t decoder_bytes(const atl_vae_config_t *vae, const atl_clip_config_t *clip) {
  int64_t n = 0;
  if (vae != NULL) {
    int64_t h = vae->hidden_width, conv = 16 * h * h, res = 19 * h * h;
    n += (int64_t)vae->n_tokens * vae->codebook_width + vae->codebook_width * h + vae->n_layers * conv +
         vae->n_res_blocks * res + 4 * (int64_t)vae->image_size * vae->image_size * h;
  }
  if (clip != NULL) {
    int64_t w = clip->text_width, v = clip->vision_width;
    n += (int64_t)clip->vocabulary * w + clip->text_layers * 12 * w * w;
    n += clip->is_resnet
             ? 600 * v * v *
                   (clip->vision_blocks[0] + clip->vision_blocks[1] + clip->vision_blocks[2] + clip->vision_blocks[3])
             : clip->vision_layers * 12 * v * v;
  }
  return n * 2 * (int64_t)sizeof(float);
}

/* FLOPs of one image through the dVAE's decoder: transposed 4x4 convolutions up to the full size, and res blocks on the
 * token grid. */
static double decode_flops(const atl_vae_config_t *vae) {
  double pixels = (double)vae->image_size * vae->image_size, h = vae->hidden_width;
  double grid = pixels / (double)((int64_t)1 << (2 * vae->n_layers));
  return 2 * pixels * h * h * 4 * 4 / 3 + 2 * grid * h * (vae->codebook_width + 19 * h * vae->n_res_blocks);
}

/* FLOPs of one image through CLIP's image tower: 24 W^2 a token and layer; a ResNet costs about what its stem's width
 * says (4.1 GFLOP multiply-adds at width 64 and 224 pixels). */
static double score_flops(const atl_clip_config_t *clip) {
  double side = clip->image_size, width = clip->vision_width;
  if (clip->is_resnet) return 2 * 4.1e9 * (side / 224) * (side / 224) * (width / 64) * (width / 64);
  double n_tokens = side / clip->patch_size * side / clip->patch_size + 1;
  return n_tokens * 24 * width * width * clip->vision_layers;
}

static void estimate_costs(const atl_planning_t *planning, const atl_transformer_config_t *config,
                           const atl_vae_config_t *vae, const atl_clip_config_t *clip, atl_costs_t *costs) {
  atl_work_t work = {
      .width = config->width,
      .inner_width = config->n_heads * config->head_size,
      .n_residual = config->reversible ? 2 : 1,
      .text_length = config->text_length,
      .image_length = atl_config_image_length(config),
      .n_image_tokens = config->n_image_tokens,
      .n_streams = planning->is_guided ? 2 : 1,
      .is_bf16 = planning->dtype == ATL_BF16,
      .decode_flops = vae != NULL ? decode_flops(vae) : 0,
      .score_flops = clip != NULL ? score_flops(clip) : 0,
  };
  atl_machine_t machine = {.n_cores = planning->n_cores,
                           .flops = planning->core_flops,
                           .bytes = planning->core_bytes,
                           .hop_seconds = planning->hop_seconds,
                           .hop_bytes = planning->hop_bytes};
  atl_cost_estimate(&work, &machine, planning->microbatch ? planning->microbatch : MICROBATCH, costs);
}

void atl_planning_request(const atl_planning_t *planning, const atl_transformer_config_t *config,
                          const atl_vae_config_t *vae, const atl_clip_config_t *clip, atl_plan_request_t *request) {
  *request = (atl_plan_request_t){
      .n_ranks = planning->n_ranks,
      .n_layers = config->n_layers,
      .image_length = atl_config_image_length(config),
      .text_length = config->text_length,
      .n_images = planning->n_images,
      .n_prompts = planning->n_prompts,
      .is_guided = planning->is_guided,
      .is_primed = planning->is_primed,
      .has_decoders = planning->has_decoders,
      .n_stages = planning->n_stages,
      .n_pipelines = planning->n_pipelines,
      .n_decoders = planning->n_decoders,
      .n_slots = planning->n_slots,
      .microbatch = planning->microbatch,
      .memory_per_rank = planning->memory_per_rank,
      .cache_per_rank = planning->cache_per_rank,
  };
  if (!planning->has_decoders) vae = NULL;
  if (!planning->is_ranked) clip = NULL;
  split_bytes(planning, config, &request->bytes);
  request->bytes.packet = packet_bytes(planning, config);
  request->bytes.decoder = decoder_bytes(vae, clip);
  estimate_costs(planning, config, vae, clip, &request->costs);
}
