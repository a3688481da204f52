#include "coordinator/plan/planning.h"

#include "common/arena.h"
#include "common/memory.h"
#include "model/clip/clip.h"
#include "model/vae/dvae.h"
#include "partition/cost.h"
#include "partition/hop.h"

/* Memory of a rank beside its roles: program, libraries, MPI and its buffers (measured: 31 to 44 MiB with Open MPI 4.1,
 * oneDNN 2.6, and one to three ranks on a host). */
enum { PROCESS_BYTES = 34 << 20 };

/* Bytes of the prompts that every rank keeps: text, ids for transformer and CLIP, and state (measured: 1.15 GB on rank
 * 0 for a million prompts of one character). 1 MiB per 1,024 prompts; fewer are within PROCESS_BYTES. */
static int64_t prompts_bytes(int32_t n_prompts) { return (int64_t)(n_prompts / 1024) << 20; }

/* Memory of a linear layer beside its contents: what the arena and a large block round up. */
static int64_t linear_rounding(int64_t n_out, int64_t n_in, atl_dtype_t dtype) {
  size_t n_bytes = (size_t)n_out * (size_t)n_in * atl_dtype_bytes(dtype);
  return (int64_t)(ATL_ARENA_CHUNK_BYTES + atl_memory_rounding_bytes(n_bytes));
}

static int32_t max_rows_of(const atl_planning_t *planning) {
  int32_t b = planning->microbatch > 0 ? planning->microbatch : ATL_PLAN_MICROBATCH,
          n = planning->is_guided ? 2 * b : b;
  return n > ATL_PREFILL_ROWS ? n : ATL_PREFILL_ROWS;
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

/* Weights of a layer, of the embedding and of the head, computed for a model of three such layers that share no
 * weights, since a stage needs its own copy of what layers share across stages; then each layer's bytes per prefix and
 * per sample. */
static void split_bytes(const atl_planning_t *planning, const atl_transformer_config_t *config,
                        atl_plan_bytes_t *bytes) {
  atl_transformer_config_t three = *config;
  three.n_layers = 3;
  for (int32_t i = 0; i < 3; i++) three.attention_owner[i] = three.feed_forward_owner[i] = i;
  int64_t layer = (int64_t)bytes_of(&three, planning, 1, 2).weights;
  int64_t width = config->width, inner = (int64_t)config->n_heads * config->head_size;
  int64_t n_text = atl_config_text_vocabulary(config), n_image = config->n_image_tokens;
  atl_dtype_t dtype = planning->dtype;
  bytes->layer_weights = layer + linear_rounding(3 * inner, width, dtype) + linear_rounding(width, inner, dtype) +
                         linear_rounding(8 * width, width, dtype) + linear_rounding(width, 4 * width, dtype);
  bytes->embedding_weights = (int64_t)bytes_of(&three, planning, 0, 1).weights - layer +
                             linear_rounding(n_text, width, ATL_F32) + linear_rounding(n_image, width, ATL_F32);
  bytes->head_weights = (int64_t)bytes_of(&three, planning, 2, 3).weights - layer +
                        linear_rounding(n_text, width, dtype) + linear_rounding(n_image, width, dtype);
  for (int32_t i = 0; i < config->n_layers; i++) {
    atl_transformer_bytes_t one = bytes_of(config, planning, i, i + 1);
    bytes->per_prefix[i] = (int64_t)one.per_prefix;
    bytes->per_sample[i] = (int64_t)one.per_sample;
    bytes->scratch = (int64_t)one.scratch;
  }
}

atl_dtype_t atl_planning_storage(const atl_model_t *model) {
  const atl_tensor_t *tensor = atl_safetensors_find(model->transformer, "to_logits.1.weight");
  return tensor != NULL ? tensor->dtype : ATL_F32;
}

/* Memory while loading: a matrix is held as stored, and also as fp32 if stored otherwise, until it is packed. Of a
 * layer these are the two linears of the feed-forward, (8D,D) and (D,4D); at the ends, the embedding or head of all
 * ids. */
static void count_loading(const atl_planning_t *planning, const atl_transformer_config_t *config,
                          atl_plan_bytes_t *bytes) {
  int64_t width = config->width, n_ids = atl_config_vocabulary(config);
  int64_t item = (int64_t)atl_dtype_bytes(planning->storage);
  if (planning->storage != ATL_F32) item += (int64_t)sizeof(float);
  bytes->layer_loading = 12 * width * width * item;
  bytes->end_loading = n_ids * width * item;
}

static int64_t packet_bytes(const atl_planning_t *planning, const atl_transformer_config_t *config) {
  atl_hop_spec_t spec = {
      .n_buffers = 1, .max_rows = max_rows_of(planning), .row_width = atl_transformer_row_width(config)};
  return (int64_t)atl_hop_bytes(&spec);
}

static int64_t decoder_bytes(const atl_vae_config_t *vae, const atl_clip_config_t *clip, atl_dtype_t dtype) {
  return (int64_t)((vae != NULL ? atl_dvae_memory(vae) : 0) + (clip != NULL ? atl_clip_memory(clip, dtype) : 0));
}

/* FLOPs per image of the dVAE's decoder: transposed 4x4 convolutions up to the full size, and residual blocks on the
 * token grid. */
static double decode_flops(const atl_vae_config_t *vae) {
  double pixels = (double)vae->image_size * vae->image_size, h = vae->hidden_width;
  double grid = pixels / (double)((int64_t)1 << (2 * vae->n_layers));
  return 2 * pixels * h * h * 4 * 4 / 3 + 2 * grid * h * (vae->codebook_width + 19 * h * vae->n_res_blocks);
}

/* FLOPs per image of CLIP's image tower: 24 W^2 per token and layer. A ResNet's are scaled from 4.1 GFLOP multiply-adds
 * at stem width 64 and 224 pixels. */
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
  atl_cost_estimate(&work, &machine, planning->microbatch ? planning->microbatch : ATL_PLAN_MICROBATCH, costs);
}

void atl_planning_request(const atl_planning_t *planning, atl_plan_request_t *request) {
  const atl_transformer_config_t *config = planning->transformer;
  const atl_vae_config_t *vae = planning->has_decoders ? planning->vae : NULL;
  *request = (atl_plan_request_t){
      .n_ranks = planning->n_ranks,
      .n_layers = config->n_layers,
      .n_drawn = atl_config_image_length(config) - planning->n_prime,
      .text_length = config->text_length,
      .n_images = planning->n_images,
      .n_prompts = planning->n_prompts,
      .is_guided = planning->is_guided,
      .n_prime = planning->n_prime,
      .has_decoders = planning->has_decoders,
      .n_stages = planning->n_stages,
      .n_pipelines = planning->n_pipelines,
      .n_decoders = planning->n_decoders,
      .n_slots = planning->n_slots,
      .microbatch = planning->microbatch,
      .memory_per_rank = planning->memory_per_rank,
      .cache_per_rank = planning->cache_per_rank,
  };
  split_bytes(planning, config, &request->bytes);
  count_loading(planning, config, &request->bytes);
  request->bytes.packet = packet_bytes(planning, config);
  request->bytes.decoder = decoder_bytes(vae, planning->clip, planning->dtype);
  request->bytes.process = PROCESS_BYTES + prompts_bytes(planning->n_prompts);
  estimate_costs(planning, config, vae, planning->clip, &request->costs);
}
