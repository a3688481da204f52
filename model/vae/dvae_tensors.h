/* The dVAE's weights struct, to which tensors are bound while it is built, and its tensor table (model/nn/table.h).
 * Names are without "vae.", as in vae.safetensors. */
#ifndef ATL_MODEL_VAE_DVAE_TENSORS_H
#define ATL_MODEL_VAE_DVAE_TENSORS_H

#include "model/nn/weights.h"

typedef struct {
  atl_parameter_t weight; /* (O,I,k,k); transposed: (I,O,k,k) */
  atl_parameter_t bias;   /* (O) */
} atl_dvae_conv_tensors_t;

typedef struct {
  atl_dvae_conv_tensors_t first, second; /* net.0, net.2: 3x3, h to h */
  atl_dvae_conv_tensors_t third;         /* net.4: 1x1 */
} atl_dvae_block_tensors_t;

typedef struct {
  atl_parameter_t codebook; /* codebook.weight (V_i,K) */
  /* encoder, L halvings and R residual blocks */
  atl_dvae_conv_tensors_t *halvings;        /* (L) encoder.i.0: 4x4, the picture's channels or h to h */
  atl_dvae_block_tensors_t *encoder_blocks; /* (R) encoder.(L+i) */
  atl_dvae_conv_tensors_t to_logits;        /* encoder.(L+R): 1x1, h to V_i */
  /* decoder; d = 1+R when there are residual blocks, else 0 */
  atl_dvae_conv_tensors_t from_codebook;    /* decoder.0: 1x1, K to h; only with residual blocks */
  atl_dvae_block_tensors_t *decoder_blocks; /* (R) decoder.(1+i) */
  atl_dvae_conv_tensors_t *doublings;       /* (L) decoder.(d+i).0: transposed 4x4, K or h to h */
  atl_dvae_conv_tensors_t to_pixels;        /* decoder.(d+L): 1x1, h to the picture's channels */
} atl_dvae_tensors_t;

extern const atl_table_t atl_dvae_table; /* atl_dvae_tensors_t, under atl_vae_config_t */

#endif
