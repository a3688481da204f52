/* Checkpoint: a file from elsewhere (or a model directory) opened as the parts it holds: transformer, dVAE, CLIP, each
 * with its configuration and exactly the tensors it needs, checked against the table of what is expected.
 *
 *     atl_checkpoint_t *checkpoint;
 *     ATL_TRY(atl_checkpoint_open("dalle.pt", &checkpoint));
 *     if (checkpoint->parts[ATL_PART_VAE].n_tensors > 0) ...
 *     atl_checkpoint_destroy(&checkpoint);
 *
 * Read are DALLE-pytorch's DALLE and DiscreteVAE checkpoints, OpenAI CLIP (state dict, TorchScript or safetensors) and
 * model directories. Tensors stay in the mapped file; they keep their source names, the dVAE's without "vae.".
 */
#ifndef ATL_MODEL_CHECKPOINT_IMPORT_CHECKPOINT_H
#define ATL_MODEL_CHECKPOINT_IMPORT_CHECKPOINT_H

#include "common/arena.h"
#include "common/torch/torchfile.h"
#include "model/checkpoint/model.h"
#include "model/checkpoint/parts.h"

typedef struct {
  const atl_tensor_t *tensors; /* in the order of the part's table */
  size_t n_tensors;            /* 0: the file has no such part */
} atl_checkpoint_part_t;

typedef struct {
  atl_arena_t arena;
  const char *path;
  const char *version, *vae_class; /* as DALLE-pytorch wrote them, or NULL */
  atl_checkpoint_part_t parts[ATL_N_PARTS];
  atl_transformer_config_t transformer_config;
  atl_vae_config_t vae_config;
  atl_clip_config_t clip_config;
  const char *tokenizer_path, *clip_tokenizer_path; /* of a model directory, or NULL */
  atl_torchfile_t *torchfile;                       /* what was opened: one of the three */
  atl_safetensors_t *safetensors;
  atl_model_t *model;
} atl_checkpoint_t;

/* INPUT: missing, corrupt, a tensor missing, misshapen or not finite. UNSUPPORTED: another kind of checkpoint, an
 * option that cannot be computed here, a tensor that nothing expects. Caller owns. */
atl_status_t atl_checkpoint_open(const char *path, atl_checkpoint_t **checkpoint);
void atl_checkpoint_destroy(atl_checkpoint_t **checkpoint);

/* The configuration of OpenAI's CLIP from its tensors' shapes. INPUT, UNSUPPORTED. */
atl_status_t atl_checkpoint_clip_config(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                        atl_clip_config_t *config);
/* Takes what `expected` names from `tensors`: by canonical name, each shape checked. INPUT: missing, misshapen, not a
 * float. UNSUPPORTED: a tensor that is neither expected nor known to be dispensable. The result is the arena's. */
atl_status_t atl_checkpoint_select(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                   const atl_table_list_t *expected, atl_arena_t *arena, atl_checkpoint_part_t *part);
/* INPUT names the first item that is NaN or infinite. */
atl_status_t atl_checkpoint_check_finite(const char *path, const atl_tensor_t *tensor);

#endif
