/* A file's keys identify its kind: "weights" and "hparams" are DALLE-pytorch's (a DALLE with "vae_params", else a
 * dVAE); tensors that include "visual.conv1.weight" are CLIP's. Known kinds that atelier does not implement are refused
 * by name. */
#include "model/checkpoint/import/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "model/checkpoint/import/hparams.h"

static bool has_tensor(const atl_tensor_t *tensors, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(tensors[i].name, name) == 0) return true;
  return false;
}

static bool has_prefix(const atl_tensor_t *tensors, size_t n, const char *prefix) {
  for (size_t i = 0; i < n; i++)
    if (strncmp(tensors[i].name, prefix, strlen(prefix)) == 0) return true;
  return false;
}

/* Selects the tensors that the part's configuration expects. */
static atl_status_t select_part(atl_checkpoint_t *checkpoint, atl_part_t part, const atl_tensor_t *tensors, size_t n) {
  const void *config = part == ATL_PART_TRANSFORMER ? (const void *)&checkpoint->transformer_config
                       : part == ATL_PART_VAE       ? (const void *)&checkpoint->vae_config
                                                    : &checkpoint->clip_config;
  atl_table_list_t expected = {0};
  atl_status_t status = atl_table_list(atl_part_table(part), config, &expected);
  if (status == ATL_OK)
    status =
        atl_checkpoint_select(checkpoint->path, tensors, n, &expected, &checkpoint->arena, &checkpoint->parts[part]);
  atl_table_clear_list(&expected);
  const atl_checkpoint_part_t *chosen = &checkpoint->parts[part];
  for (size_t i = 0; i < chosen->n_tensors && status == ATL_OK; i++)
    status = atl_checkpoint_check_finite(checkpoint->path, &chosen->tensors[i]);
  return status;
}

static atl_status_t read_clip(atl_checkpoint_t *checkpoint, const atl_tensor_t *tensors, size_t n) {
  ATL_TRY(atl_checkpoint_clip_config(checkpoint->path, tensors, n, &checkpoint->clip_config));
  return select_part(checkpoint, ATL_PART_CLIP, tensors, n);
}

/* ---- DALLE-pytorch ---- */

/* Splits the weights of a DALLE into its own and its dVAE's; the latter lose the prefix "vae.". */
static atl_status_t split(atl_checkpoint_t *checkpoint, const atl_tensor_list_t *all, atl_tensor_t **own, size_t *n_own,
                          atl_tensor_t **vae, size_t *n_vae) {
  *n_own = *n_vae = 0;
  ATL_TRY(ATL_TAKE(&checkpoint->arena, all->n_tensors, own));
  ATL_TRY(ATL_TAKE(&checkpoint->arena, all->n_tensors, vae));
  for (size_t i = 0; i < all->n_tensors; i++) {
    atl_tensor_t tensor = all->tensors[i];
    bool is_vae = strncmp(tensor.name, "vae.", 4) == 0;
    if (is_vae) tensor.name += 4;
    (is_vae ? *vae : *own)[is_vae ? (*n_vae)++ : (*n_own)++] = tensor;
  }
  return ATL_OK;
}

static atl_status_t check_vae_class(const atl_checkpoint_t *checkpoint, const atl_value_t *vae_params,
                                    const atl_tensor_t *vae, size_t n_vae) {
  const char *name = checkpoint->vae_class;
  if (name == NULL && has_prefix(vae, n_vae, "model.")) name = "VQGanVAE";
  if (name == NULL && has_prefix(vae, n_vae, "enc.")) name = "OpenAIDiscreteVAE";
  bool is_known =
      name == NULL ? vae_params != NULL && vae_params->kind == ATL_VALUE_DICT : strcmp(name, "DiscreteVAE") == 0;
  ATL_CHECK(is_known, UNSUPPORTED,
            "%s: its image tokens are those of %s; atelier decodes only DALLE-pytorch's own DiscreteVAE",
            checkpoint->path, name == NULL ? "a VAE that is not in the checkpoint (vae_params is None)" : name);
  return ATL_OK;
}

static const char *text_of(const atl_value_t *root, const char *key) {
  const atl_value_t *value = atl_value_find(root, key);
  return value != NULL && value->kind == ATL_VALUE_TEXT ? value->text : NULL;
}

static atl_status_t read_dalle(atl_checkpoint_t *checkpoint, const atl_value_t *root, const atl_tensor_list_t *all) {
  atl_tensor_t *own, *vae;
  size_t n_own, n_vae;
  const atl_value_t *vae_params = atl_value_find(root, "vae_params");
  checkpoint->version = text_of(root, "version");
  checkpoint->vae_class = text_of(root, "vae_class_name");
  ATL_TRY(split(checkpoint, all, &own, &n_own, &vae, &n_vae));
  ATL_TRY(check_vae_class(checkpoint, vae_params, vae, n_vae));
  const atl_hparams_source_t source = {checkpoint->path, checkpoint->version, own, n_own};
  ATL_TRY(atl_hparams_vae(&source, vae_params, &checkpoint->vae_config));
  ATL_TRY(atl_hparams_transformer(&source, atl_value_find(root, "hparams"), &checkpoint->vae_config,
                                  &checkpoint->transformer_config));
  ATL_TRY(select_part(checkpoint, ATL_PART_TRANSFORMER, own, n_own));
  return select_part(checkpoint, ATL_PART_VAE, vae, n_vae);
}

static atl_status_t read_vae(atl_checkpoint_t *checkpoint, const atl_value_t *root, const atl_tensor_list_t *all) {
  const atl_hparams_source_t source = {checkpoint->path, NULL, all->tensors, all->n_tensors};
  ATL_TRY(atl_hparams_vae(&source, atl_value_find(root, "hparams"), &checkpoint->vae_config));
  return select_part(checkpoint, ATL_PART_VAE, all->tensors, all->n_tensors);
}

static atl_status_t read_dalle_pytorch(atl_checkpoint_t *checkpoint, const atl_value_t *root,
                                       const atl_value_t *weights) {
  ATL_CHECK(weights->kind == ATL_VALUE_DICT, UNSUPPORTED,
            "%s: its \"weights\" are not tensors%s%.160s; DeepSpeed keeps them in separate files: merge those with "
            "zero_to_fp32.py, or save the model with plain torch.save, and convert the result",
            checkpoint->path, weights->kind == ATL_VALUE_TEXT ? " but the text: " : "",
            weights->kind == ATL_VALUE_TEXT ? weights->text : "");
  atl_tensor_list_t all;
  ATL_TRY(atl_torchfile_list_tensors(checkpoint->torchfile, weights, &all));
  bool is_dalle =
      atl_value_find(root, "vae_params") != NULL || has_tensor(all.tensors, all.n_tensors, "to_logits.1.weight");
  return is_dalle ? read_dalle(checkpoint, root, &all) : read_vae(checkpoint, root, &all);
}

/* ---- kinds of files ---- */

static atl_status_t refuse_unknown(const atl_checkpoint_t *checkpoint, const atl_value_t *root,
                                   const atl_tensor_t *tensors, size_t n) {
  static const char wanted[] = "expected a DALLE-pytorch checkpoint, its DiscreteVAE, or OpenAI's CLIP";
  bool is_dall_e = root != NULL && root->kind == ATL_VALUE_OBJECT && strncmp(root->text, "dall_e.", 7) == 0;
  ATL_CHECK(!is_dall_e, UNSUPPORTED, "%s: OpenAI's dVAE (%s): %s", checkpoint->path, root->text, wanted);
  bool is_vqgan = has_prefix(tensors, n, "quantize.") || has_prefix(tensors, n, "state_dict.quantize.");
  ATL_CHECK(!is_vqgan, UNSUPPORTED, "%s: a VQGAN of taming-transformers: %s", checkpoint->path, wanted);
  bool is_hugging_face = has_prefix(tensors, n, "text_model.") || has_prefix(tensors, n, "vision_model.");
  ATL_CHECK(!is_hugging_face, UNSUPPORTED, "%s: CLIP in Hugging Face's layout: %s; convert OpenAI's file instead",
            checkpoint->path, wanted);
  ATL_CHECK(!has_tensor(tensors, n, "to_visual_latent.weight"), UNSUPPORTED,
            "%s: the CLIP class of DALLE-pytorch, which is not OpenAI's: %s", checkpoint->path, wanted);
  ATL_CHECK(!has_prefix(tensors, n, "to_logits."), UNSUPPORTED,
            "%s: tensors of a DALLE without hyperparameters; %s as saved by its training script", checkpoint->path,
            wanted);
  return ATL_FAIL(UNSUPPORTED, "%s: %s; found %zu tensors%s%s", checkpoint->path, wanted, n,
                  n > 0 ? ", the first " : "", n > 0 ? tensors[0].name : "");
}

static atl_status_t read_torchfile(atl_checkpoint_t *checkpoint) {
  ATL_TRY(atl_torchfile_open(checkpoint->path, &checkpoint->torchfile));
  const atl_value_t *root = atl_torchfile_root(checkpoint->torchfile);
  const atl_value_t *weights = atl_value_find(root, "weights");
  if (weights != NULL && weights->kind != ATL_VALUE_TENSOR) return read_dalle_pytorch(checkpoint, root, weights);
  atl_tensor_list_t all;
  ATL_TRY(atl_torchfile_list_tensors(checkpoint->torchfile, root, &all));
  if (has_tensor(all.tensors, all.n_tensors, "visual.conv1.weight"))
    return read_clip(checkpoint, all.tensors, all.n_tensors);
  return refuse_unknown(checkpoint, root, all.tensors, all.n_tensors);
}

/* The tensors of a safetensors file in file order. The arena owns the result. */
static atl_status_t list_tensors(atl_checkpoint_t *checkpoint, const atl_safetensors_t *file, atl_tensor_t **tensors) {
  size_t n = atl_safetensors_n_tensors(file);
  ATL_TRY(ATL_TAKE(&checkpoint->arena, n, tensors));
  for (size_t i = 0; i < n; i++) (*tensors)[i] = *atl_safetensors_get(file, i);
  return ATL_OK;
}

static atl_status_t read_safetensors(atl_checkpoint_t *checkpoint) {
  ATL_TRY(atl_safetensors_open(checkpoint->path, &checkpoint->safetensors));
  size_t n = atl_safetensors_n_tensors(checkpoint->safetensors);
  atl_tensor_t *tensors;
  ATL_TRY(list_tensors(checkpoint, checkpoint->safetensors, &tensors));
  if (has_tensor(tensors, n, "visual.conv1.weight")) return read_clip(checkpoint, tensors, n);
  return refuse_unknown(checkpoint, NULL, tensors, n);
}

static atl_status_t read_model_part(atl_checkpoint_t *checkpoint, atl_part_t part, const atl_safetensors_t *file) {
  if (file == NULL) return ATL_OK;
  atl_tensor_t *tensors;
  ATL_TRY(list_tensors(checkpoint, file, &tensors));
  return select_part(checkpoint, part, tensors, atl_safetensors_n_tensors(file));
}

static atl_status_t read_directory(atl_checkpoint_t *checkpoint) {
  char path[4096];
  int n = snprintf(path, sizeof path, "%s/auxiliary.pt", checkpoint->path);
  ATL_CHECK(n < 0 || (size_t)n >= sizeof path || !atl_file_exists(path), UNSUPPORTED,
            "%s: a DeepSpeed checkpoint folder, whose weights are in separate files; merge them with "
            "zero_to_fp32.py, or save the model with plain torch.save, and convert the result",
            checkpoint->path);
  ATL_TRY(atl_model_open(checkpoint->path, &checkpoint->model));
  const atl_model_t *model = checkpoint->model;
  checkpoint->transformer_config = model->transformer_config;
  checkpoint->vae_config = model->vae_config;
  checkpoint->clip_config = model->clip_config;
  checkpoint->tokenizer_path = model->tokenizer_path;
  checkpoint->clip_tokenizer_path = model->clip_tokenizer_path;
  ATL_TRY(read_model_part(checkpoint, ATL_PART_TRANSFORMER, model->transformer));
  ATL_TRY(read_model_part(checkpoint, ATL_PART_VAE, model->vae));
  return read_model_part(checkpoint, ATL_PART_CLIP, model->clip);
}

static atl_status_t read_any(atl_checkpoint_t *checkpoint, const char *path) {
  char *copy;
  ATL_TRY(atl_arena_strndup(&checkpoint->arena, path, strlen(path), &copy));
  checkpoint->path = copy;
  if (atl_file_is_directory(path)) return read_directory(checkpoint);
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  bool is_torchfile = atl_torchfile_is_one(map.bytes, map.n_bytes);
  bool is_safetensors = atl_safetensors_is_one(map.bytes, map.n_bytes);
  atl_file_unmap(&map);
  if (is_torchfile) return read_torchfile(checkpoint);
  ATL_CHECK(is_safetensors, INPUT,
            "%s: expected a PyTorch file, a safetensors file or a model directory; its first bytes match none of these "
            "(is the download complete?)",
            path);
  return read_safetensors(checkpoint);
}

atl_status_t atl_checkpoint_open(const char *path, atl_checkpoint_t **checkpoint) {
  *checkpoint = NULL;
  atl_checkpoint_t *made;
  ATL_TRY(ATL_NEW(1, &made));
  atl_status_t status = read_any(made, path);
  if (status != ATL_OK) {
    atl_checkpoint_destroy(&made);
    return status;
  }
  *checkpoint = made;
  return ATL_OK;
}

void atl_checkpoint_destroy(atl_checkpoint_t **checkpoint) {
  if (checkpoint == NULL || *checkpoint == NULL) return;
  atl_torchfile_destroy(&(*checkpoint)->torchfile);
  atl_safetensors_destroy(&(*checkpoint)->safetensors);
  atl_model_destroy(&(*checkpoint)->model);
  atl_arena_clear(&(*checkpoint)->arena);
  ATL_DESTROY(checkpoint);
}
