/* dVAE: DALLE-pytorch's DiscreteVAE, which decodes image tokens to pixels and encodes pixels to image tokens, in fp32.
 * An image token is an index into its codebook. The result of an image does not depend on the other images of a call.
 *
 *     atl_dvae_t *vae;
 *     ATL_TRY(atl_dvae_new(model, ATL_DVAE_DECODER, &vae));
 *     ATL_TRY(atl_dvae_decode(vae, pixels, tokens, 1));
 *     atl_dvae_to_rgb(vae, rgb, pixels);
 *     atl_dvae_destroy(&vae);
 *
 * Training: encode and decode will record the inputs and outputs of the convolutions, so each step will write separate
 * memory instead of the three buffers, and the decoder's last two convolutions will not be fused.
 */
#ifndef ATL_MODEL_VAE_DVAE_H
#define ATL_MODEL_VAE_DVAE_H

#include "model/checkpoint/model.h"

typedef struct atl_dvae atl_dvae_t;

typedef enum { ATL_DVAE_DECODER = 1, ATL_DVAE_ENCODER = 2 } atl_dvae_part_t; /* bits: the halves to load */

/* Loads the halves in `parts`. INPUT, MEMORY. Borrows the model, which must outlive the dVAE. Caller owns. */
atl_status_t atl_dvae_new(const atl_model_t *model, int parts, atl_dvae_t **vae);
void atl_dvae_destroy(atl_dvae_t **vae);
/* pixels(n,C,S,S) <- tokens(n,I). Pixels are normalised, as the reference's decode gives them. INPUT: a token is
 * outside 0..V_i-1. */
atl_status_t atl_dvae_decode(atl_dvae_t *vae, float *pixels, const int32_t *tokens, int32_t n);
/* tokens(n,I) <- rgb(n,C,S,S) in 0..1. */
void atl_dvae_encode(atl_dvae_t *vae, int32_t *tokens, const float *rgb, int32_t n);
/* rgb(S,S,C), 8 bits per channel, <- one image of decode's pixels(C,S,S): denormalised with std and mean (by default
 * alpha is unchanged), clamped to 0..1, times 255, rounded to nearest. */
void atl_dvae_to_rgb(const atl_dvae_t *vae, uint8_t *rgb, const float *pixels);
size_t atl_dvae_bytes(const atl_dvae_t *vae); /* bytes allocated */
/* Bytes that a decoder of this configuration allocates: codebook, packed convolutions, three buffers for a picture, and
 * the scratch of the transposed convolutions. Pure. */
size_t atl_dvae_memory(const atl_vae_config_t *config);

#endif
