/* Model: an opened model directory (docs/formats.md): model.json, the configs in it, and the mapped tensor files.
 *
 *     atl_model_t *model;
 *     ATL_TRY(atl_model_open("weights/emoji", &model));
 *     model->transformer_config.width ...
 *     atl_model_destroy(&model);
 *
 * Opening maps files and touches no weight; who builds a network touches only what it owns.
 */
#ifndef ATL_MODEL_CHECKPOINT_MODEL_H
#define ATL_MODEL_CHECKPOINT_MODEL_H

#include "common/safetensors.h"
#include "model/checkpoint/config.h"

typedef struct {
  char *directory;
  bool has_transformer, has_vae, has_clip;
  atl_transformer_config_t transformer_config;
  atl_vae_config_t vae_config;
  atl_clip_config_t clip_config;
  atl_safetensors_t *transformer, *vae, *clip; /* NULL when the part is absent; names as in the source checkpoint,
                                                  without the "vae." prefix in vae.safetensors */
  char *tokenizer_path;                        /* text tokenizer of the transformer, or NULL */
  char *clip_tokenizer_path;                   /* CLIP's, or NULL */
  char *name;                                  /* as model.json says, for PNG chunks and reports */
  char digest[65]; /* sha256 of model.json: identifies the model (it holds the sha256 of each file) */
} atl_model_t;

/* INPUT when the directory or a file of it is missing or does not fit its config. Caller owns. */
atl_status_t atl_model_open(const char *directory, atl_model_t **model);
/* Drops what reading the files has brought into this process's memory; they stay open. Cheap. */
void atl_model_release(const atl_model_t *model);
void atl_model_destroy(atl_model_t **model);
/* Do a transformer and a dVAE fit: the same codes, the same side? INPUT says where they differ. */
atl_status_t atl_model_check(const atl_transformer_config_t *transformer, const atl_vae_config_t *vae,
                             const char *where);

#endif
