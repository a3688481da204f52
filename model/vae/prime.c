#include "model/vae/prime.h"

#include "common/arena.h"
#include "common/image.h"
#include "model/vision/preprocess.h"

static atl_status_t encode(const atl_vae_config_t *c, atl_dvae_t *vae, const atl_image_t *image, atl_arena_t *arena,
                           int32_t *tokens) {
  size_t n = (size_t)c->image_size * (size_t)c->image_size * (size_t)c->n_channels;
  uint8_t *square;
  float *planes;
  ATL_TRY(ATL_TAKE(arena, n, &square));
  ATL_TRY(ATL_TAKE(arena, n, &planes));
  ATL_TRY(atl_preprocess_square(square, c->image_size, image->pixels, image->height, image->width, c->n_channels));
  atl_preprocess_planes(planes, square, c->image_size, c->n_channels, NULL, NULL);
  atl_dvae_encode(vae, tokens, planes, 1);
  return ATL_OK;
}

atl_status_t atl_prime_encode(const atl_model_t *model, atl_dvae_t *vae, const char *path, int32_t *tokens) {
  atl_image_t image;
  atl_arena_t arena = {0};
  atl_status_t status = ATL_OK;
  ATL_TRY(atl_image_load(path, &image));
  if (model->vae_config.n_channels == 3)
    atl_image_drop_alpha(&image);
  else
    status = atl_image_add_alpha(&image);
  if (status == ATL_OK) status = encode(&model->vae_config, vae, &image, &arena, tokens);
  atl_image_clear(&image);
  atl_arena_clear(&arena);
  return status;
}

atl_status_t atl_prime_load(const atl_model_t *model, const char *path, int32_t *tokens) {
  atl_dvae_t *vae;
  ATL_TRY(atl_dvae_new(model, ATL_DVAE_ENCODER, &vae));
  atl_status_t status = atl_prime_encode(model, vae, path, tokens);
  atl_dvae_destroy(&vae);
  return status;
}
