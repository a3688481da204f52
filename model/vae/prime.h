/* Prime: encodes a picture as image tokens. Candidates begin with them, and `atelier encode` prints them. */
#ifndef ATL_MODEL_VAE_PRIME_H
#define ATL_MODEL_VAE_PRIME_H

#include "model/vae/dvae.h"

/* tokens(I) <- a PNG of any size: its shorter side is resized to the dVAE's, the centre is cropped
 * (model/vision/preprocess), and the result encoded. Alpha is dropped or added as the dVAE needs. INPUT when the file
 * is not a picture; MEMORY. Borrows. */
atl_status_t atl_prime_load(const atl_model_t *model, const char *path, int32_t *tokens);
/* The same with a dVAE of that model that has its encoder, for many pictures. Borrows. */
atl_status_t atl_prime_encode(const atl_model_t *model, atl_dvae_t *vae, const char *path, int32_t *tokens);

#endif
