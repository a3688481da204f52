/* Checkpoint: a foreign file (or a model directory) opened as the parts it holds: transformer, dVAE, CLIP. Each part
 * has its configuration and exactly the tensors it needs, checked against the part's tensor table.
 *
 *     atl_checkpoint_t *checkpoint;
 *     ATL_TRY(atl_checkpoint_open("dalle.pt", &checkpoint));
 *     if (checkpoint->parts[ATL_PART_VAE].n_tensors > 0) ...
 *     atl_checkpoint_destroy(&checkpoint);
 *
 * It reads DALLE-pytorch's DALLE and DiscreteVAE checkpoints, OpenAI CLIP (state dict, TorchScript or safetensors) and
 * model directories. Tensors stay in the mapped file and keep their source names, the dVAE's without "vae.".
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
  const char *version, *vae_class; /* as written by DALLE-pytorch, or NULL */
  atl_checkpoint_part_t parts[ATL_N_PARTS];
  atl_transformer_config_t transformer_config;
  atl_vae_config_t vae_config;
  atl_clip_config_t clip_config;
  const char *tokenizer_path, *clip_tokenizer_path; /* of a model directory, or NULL */
  atl_torchfile_t *torchfile;                       /* this or one of the next two is open */
  atl_safetensors_t *safetensors;
  atl_model_t *model;
} atl_checkpoint_t;

/* INPUT: the file is missing or corrupt, or a tensor is missing, misshapen or not finite. UNSUPPORTED: another kind of
 * checkpoint, an option that atelier does not implement, or a tensor that no configuration expects. Caller owns. */
atl_status_t atl_checkpoint_open(const char *path, atl_checkpoint_t **checkpoint);
void atl_checkpoint_destroy(atl_checkpoint_t **checkpoint);

/* Derives the configuration of OpenAI's CLIP from its tensors' shapes. INPUT, UNSUPPORTED. */
atl_status_t atl_checkpoint_clip_config(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                        atl_clip_config_t *config);
/* Selects from `tensors` those that `expected` lists, by canonical name, and checks their shapes. INPUT: one is
 * missing, misshapen or not floating-point. UNSUPPORTED: a tensor is neither expected nor known to be dispensable. The
 * arena owns the result. */
atl_status_t atl_checkpoint_select(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                   const atl_table_list_t *expected, atl_arena_t *arena, atl_checkpoint_part_t *part);
/* Checks that all items are finite. INPUT names the first that is not. */
atl_status_t atl_checkpoint_check_finite(const char *path, const atl_tensor_t *tensor);

#endif
