/* Pictures through the public interfaces of the dVAE and CLIP, one at a time. */
#include "common/arena.h"
#include "model/clip/clip.h"
#include "model/perf/bench/bench.h"
#include "model/vae/dvae.h"

static atl_status_t measure_decoding(atl_bench_t *bench, atl_dvae_t *vae, const atl_vae_config_t *config,
                                     atl_arena_t *arena) {
  int32_t side = config->image_size >> config->n_layers;
  int32_t *tokens;
  float *pixels;
  ATL_TRY(ATL_TAKE(arena, side * side, &tokens));
  ATL_TRY(ATL_TAKE(arena, (int64_t)config->n_channels * config->image_size * config->image_size, &pixels));
  for (int32_t i = 0; i < side * side; i++) tokens[i] = i % config->n_tokens;
  atl_laps_t laps = {.budget = bench->seconds};
  while (atl_laps_next(&laps)) ATL_TRY(atl_dvae_decode(vae, pixels, tokens, 1));
  return atl_bench_add(bench, laps.best, NULL, "dvae decode pixels=%d", config->image_size);
}

static atl_status_t measure_clip(atl_bench_t *bench, atl_clip_t *clip, const atl_clip_config_t *config, int32_t side,
                                 atl_arena_t *arena) {
  uint8_t *rgb;
  float *image, *features;
  ATL_TRY(ATL_TAKE(arena, (int64_t)side * side * 3, &rgb));
  ATL_TRY(ATL_TAKE(arena, (int64_t)config->image_size * config->image_size * 3, &image));
  ATL_TRY(ATL_TAKE(arena, config->embedding_width, &features));
  atl_laps_t laps = {.budget = bench->seconds};
  while (atl_laps_next(&laps)) {
    ATL_TRY(atl_clip_preprocess(clip, image, rgb, side, side));
    atl_clip_image_features(clip, features, image, 1);
  }
  return atl_bench_add(bench, laps.best, NULL, "clip image pixels=%d", config->image_size);
}

static atl_status_t bench_dvae(atl_bench_t *bench, const atl_model_t *model) {
  atl_dvae_t *vae;
  atl_arena_t arena = {0};
  if (!model->has_vae) return ATL_OK;
  ATL_TRY(atl_dvae_new(model, ATL_DVAE_DECODER, &vae));
  atl_status_t status = measure_decoding(bench, vae, &model->vae_config, &arena);
  atl_dvae_destroy(&vae);
  atl_arena_clear(&arena);
  return status;
}

atl_status_t atl_bench_images(atl_bench_t *bench, const atl_model_t *model) {
  atl_clip_t *clip;
  atl_arena_t arena = {0};
  ATL_TRY(bench_dvae(bench, model));
  if (!model->has_clip) return ATL_OK;
  ATL_TRY(atl_clip_new(model, bench->dtype, &clip));
  int32_t side = model->has_vae ? model->vae_config.image_size : 256;
  atl_status_t status = measure_clip(bench, clip, &model->clip_config, side, &arena);
  atl_clip_destroy(&clip);
  atl_arena_clear(&arena);
  return status;
}
