/* dVAE: DALLE-pytorch's DiscreteVAE: image codes -> pixels, pixels -> image codes. fp32.
 * Each image is computed as if alone: its pixels do not depend on what else is decoded.
 *
 * Training: encode and decode will take what the convolutions note, so each step writes memory of its own instead of the
 * three buffers, and the decoder's last two convolutions are not fused.
 */
#ifndef ATL_MODEL_VAE_DVAE_H
#define ATL_MODEL_VAE_DVAE_H

#include "model/checkpoint/model.h"

typedef struct atl_dvae atl_dvae_t;

typedef enum { ATL_DVAE_DECODER = 1, ATL_DVAE_ENCODER = 2 } atl_dvae_part_t; /* which half to load, or both */

/* INPUT, MEMORY. Borrows the model: it must outlive the dVAE. Caller owns. */
atl_status_t atl_dvae_new(const atl_model_t *model, int parts, atl_dvae_t **vae);
void atl_dvae_destroy(atl_dvae_t **vae);
/* pixels(n,C,S,S) <- codes(n,I): as the reference's decode gives them, in normalised space. INPUT: a code >= V_i. */
atl_status_t atl_dvae_decode(atl_dvae_t *vae, float *pixels, const int32_t *codes, int32_t n);
/* codes(n,I) <- rgb(n,C,S,S) in 0..1. */
void atl_dvae_encode(atl_dvae_t *vae, int32_t *codes, const float *rgb, int32_t n);
/* rgb(S,S,C), 8 bits a channel, <- one image of decode's pixels(C,S,S): denormalised (alpha as it is), clamped to 0..1,
 * times 255, rounded to nearest. */
void atl_dvae_to_rgb(const atl_dvae_t *vae, uint8_t *rgb, const float *pixels);
size_t atl_dvae_bytes(const atl_dvae_t *vae); /* memory it holds */
/* Bytes that a decoder of this configuration will hold: codebook, packed convolutions, the three buffers a picture is
 * in, and what a doubling works in. Pure. */
size_t atl_dvae_memory(const atl_vae_config_t *config);

#endif
