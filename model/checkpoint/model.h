/* Model: an open model directory (docs/formats.md): model.json, its configs, and the mapped tensor files.
 *
 *     atl_model_t *model;
 *     ATL_TRY(atl_model_open("weights/emoji", &model));
 *     model->transformer_config.width ...
 *     atl_model_destroy(&model);
 *
 * Opening maps the files without reading weights. Building a network reads only the tensors it binds.
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
  atl_safetensors_t *transformer, *vae, *clip; /* NULL when the part is absent; tensor names as in the source
                                                  checkpoint, without the "vae." prefix in vae.safetensors */
  char *tokenizer_path;                        /* the transformer's tokenizer, or NULL */
  char *clip_tokenizer_path;                   /* CLIP's tokenizer, or NULL */
  char *name;                                  /* from model.json; for PNG chunks and reports */
  char digest[65]; /* sha256 of model.json, which holds the sha256 of each file: identifies the model */
} atl_model_t;

/* INPUT: the directory or one of its files is missing, or parts do not fit each other; UNSUPPORTED, MEMORY, IO. Caller
 * owns. */
atl_status_t atl_model_open(const char *directory, atl_model_t **model);
/* Releases the pages of the mapped files from this process's memory. The files stay open and pages are read again on
 * use. Cheap. */
void atl_model_release(const atl_model_t *model);
void atl_model_destroy(atl_model_t **model);
/* Checks that a transformer and a dVAE have the same number of image tokens and the same side. INPUT names the
 * difference. */
atl_status_t atl_model_check(const atl_transformer_config_t *transformer, const atl_vae_config_t *vae,
                             const char *where);

#endif
