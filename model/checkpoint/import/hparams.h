/* Hparams: a DALLE-pytorch checkpoint's own words about its architecture -> our configuration.
 * What is found decides; what is missing takes the default of the version that saved the file; what is not
 * known or cannot be computed here is refused by name.
 */
#ifndef ATL_MODEL_CHECKPOINT_IMPORT_HPARAMS_H
#define ATL_MODEL_CHECKPOINT_IMPORT_HPARAMS_H

#include "common/torch/torchfile.h"
#include "model/checkpoint/config.h"

typedef struct {
  const char *path;            /* of the checkpoint, for messages */
  const char *version;         /* "1.6.6", or NULL: older than 1.1.6 */
  const atl_tensor_t *tensors; /* of the checkpoint: for what old hparams do not say */
  size_t n_tensors;
} atl_hparams_source_t;

/* INPUT: missing or out of range. UNSUPPORTED: sparse attention, conv_like before 1.5.0, unknown options. Local. */
atl_status_t atl_hparams_vae(const atl_hparams_source_t *source, const atl_value_t *hparams, atl_vae_config_t *config);
/* The dVAE's config decides the side and number of image tokens. */
atl_status_t atl_hparams_transformer(const atl_hparams_source_t *source, const atl_value_t *hparams,
                                     const atl_vae_config_t *vae, atl_transformer_config_t *config);

#endif
