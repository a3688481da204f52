// TEST np=1
/* Damaged configurations of model.json and plan files. Those that are still valid are written and read back. */
#include "model/checkpoint/config.h"

#include "partition/plan.h"
#include "tests/support/mutate.h"

#define TRY_CONFIG(kind)                                                                                               \
  do {                                                                                                                 \
    atl_##kind##_config_t config, again;                                                                               \
    json_t *object;                                                                                                    \
    if (atl_##kind##_config_from_json(root, "fuzz", &config) != ATL_OK) break;                                         \
    mutate_n_read++;                                                                                                   \
    atl_##kind##_config_describe(&config, words, sizeof words);                                                        \
    if (atl_##kind##_config_to_json(&config, &object) != ATL_OK) abort();                                              \
    if (atl_##kind##_config_from_json(object, "again", &again) != ATL_OK) abort();                                     \
    json_decref(object);                                                                                               \
  } while (0)

static void try_plan(const json_t *root) {
  atl_plan_t plan, again;
  json_t *object;
  if (atl_plan_from_json(root, "fuzz", NULL, &plan) != ATL_OK) return;
  mutate_n_read++;
  for (int32_t rank = 0; rank < plan.n_ranks && rank < 64; rank++) {
    int32_t i_pipeline;
    atl_plan_find_stage(&plan, rank, &i_pipeline);
    atl_plan_find_decoder(&plan, rank);
  }
  if (atl_plan_to_json(&plan, &object) != ATL_OK) abort();
  if (atl_plan_from_json(object, "again", NULL, &again) != ATL_OK) abort();
  json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  json_t *root;
  char words[512];
  if (atl_json_parse((const char *)data, n, "fuzz", &root) != ATL_OK) return 0;
  TRY_CONFIG(transformer);
  TRY_CONFIG(vae);
  TRY_CONFIG(clip);
  try_plan(root);
  json_decref(root);
  return 0;
}

static void add_json(mutate_corpus_t *corpus, atl_status_t status, json_t **made) {
  json_t *object = *made;
  if (!TAP_STATUS(ATL_OK, status, "a configuration becomes JSON")) return;
  char *text = json_dumps(object, JSON_COMPACT);
  mutate_add_seed(corpus, text, strlen(text));
  free(text);
  json_decref(object);
}

static void add_seeds(mutate_corpus_t *corpus) {
  const atl_transformer_config_t transformer = {.width = 64,
                                                .n_layers = 2,
                                                .n_heads = 2,
                                                .head_size = 32,
                                                .text_length = 8,
                                                .n_text_tokens = 120,
                                                .image_side = 4,
                                                .n_image_tokens = 96,
                                                .rotary = true,
                                                .attention = {ATL_ATTENTION_FULL, ATL_ATTENTION_CONV_LIKE},
                                                .attention_owner = {0, 0},
                                                .feed_forward_owner = {0, 1}};
  const atl_vae_config_t vae = {.image_size = 32,
                                .n_layers = 3,
                                .n_res_blocks = 1,
                                .n_tokens = 96,
                                .codebook_width = 48,
                                .hidden_width = 32,
                                .n_channels = 3,
                                .mean = {0.5f, 0.5f, 0.5f, 0},
                                .std = {0.5f, 0.5f, 0.5f, 1}};
  const atl_clip_config_t clip = {.embedding_width = 48,
                                  .image_size = 32,
                                  .vision_width = 64,
                                  .vision_layers = 2,
                                  .patch_size = 8,
                                  .vision_heads = 1,
                                  .context_length = 16,
                                  .vocabulary = 600,
                                  .text_width = 64,
                                  .text_heads = 1,
                                  .text_layers = 2};
  const atl_plan_t plan = {.n_ranks = 4,
                           .n_pipelines = 1,
                           .n_stages = 2,
                           .n_decoders = 1,
                           .n_slots = 3,
                           .microbatch = 4,
                           .n_prefixes = 2,
                           .first_layer = {0, 1, 2},
                           .coordinator_rank = 3,
                           .first_decoder_rank = 2,
                           .reason = "a seed"};
  json_t *object = NULL;
  add_json(corpus, atl_transformer_config_to_json(&transformer, &object), &object);
  add_json(corpus, atl_vae_config_to_json(&vae, &object), &object);
  add_json(corpus, atl_clip_config_to_json(&clip, &object), &object);
  add_json(corpus, atl_plan_to_json(&plan, &object), &object);
}

/* Our own allocations are small; the sanitizer bounds jansson's. */
MUTATE_MAIN(add_seeds, 1 << 16, 64)
