/* Prime: a picture as image codes: what candidates begin with, and what `atelier encode` prints. */
#ifndef ATL_MODEL_VAE_PRIME_H
#define ATL_MODEL_VAE_PRIME_H

#include "model/vae/dvae.h"

/* codes(I) <- a PNG of any size: shorter side resized to the VAE's, centre cut out (model/vision/preprocess), encoded.
 * Alpha is dropped or added as the VAE wants. INPUT when the file is not a picture; MEMORY. */
atl_status_t atl_prime_load(const atl_model_t *model, const char *path, int32_t *codes);
/* The same for one of many pictures, with a dVAE of that model that has its encoder. Borrows. */
atl_status_t atl_prime_encode(const atl_model_t *model, atl_dvae_t *vae, const char *path, int32_t *codes);

#endif
