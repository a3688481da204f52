/* Hparams: turns the hyperparameters of a DALLE-pytorch checkpoint into our configuration. A missing option takes the
 * default of the version that saved the file. An unknown option, or one that atelier does not implement, is refused by
 * name.
 */
#ifndef ATL_MODEL_CHECKPOINT_IMPORT_HPARAMS_H
#define ATL_MODEL_CHECKPOINT_IMPORT_HPARAMS_H

#include "common/torch/torchfile.h"
#include "model/checkpoint/config.h"

typedef struct {
  const char *path;            /* of the checkpoint, for messages */
  const char *version;         /* "1.6.6"; NULL: before 1.1.6 */
  const atl_tensor_t *tensors; /* of the checkpoint, for options that old hparams lack */
  size_t n_tensors;
} atl_hparams_source_t;

/* INPUT: a required option is missing, or one is mistyped or out of range. UNSUPPORTED: sparse attention, conv_like
 * before 1.5.0, unknown options. Local. Both borrow. */
atl_status_t atl_hparams_vae(const atl_hparams_source_t *source, const atl_value_t *hparams, atl_vae_config_t *config);
/* The side and the number of image tokens come from the dVAE's config. */
atl_status_t atl_hparams_transformer(const atl_hparams_source_t *source, const atl_value_t *hparams,
                                     const atl_vae_config_t *vae, atl_transformer_config_t *config);

#endif
