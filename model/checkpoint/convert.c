/* Everything is opened and checked before anything is written; then files are written into OUT.tmp.PID, which becomes
 * OUT by one rename. The digest of model.json stands for the model, so nothing in it depends on time or place. */
#include "model/checkpoint/convert.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/version.h"
#include "model/checkpoint/replace.h"
#include "model/tokenizer/tokenizer.h"

enum { PATH_BYTES = 4096, MAX_OPEN = ATL_MAX_SOURCES + ATL_N_PARTS };

typedef struct {
  const atl_convert_t *settings;
  atl_checkpoint_t *opened[MAX_OPEN];
  int n_opened;
  const atl_checkpoint_t *parts[ATL_N_PARTS]; /* where each part comes from, or NULL */
  const char *tokenizers[2];                  /* files to copy, or NULL: the transformer's and CLIP's */
  char folder[PATH_BYTES];                    /* what is being written */
  json_t *root;                               /* model.json */
} conversion_t;

static const char *const the_tokenizer_parts[2] = {"tokenizer", "clip_tokenizer"};

/* ---- what comes from where ---- */

static atl_status_t open_source(conversion_t *conversion, const char *path, const atl_checkpoint_t **checkpoint) {
  for (int i = 0; i < conversion->n_opened; i++)
    if (strcmp(conversion->opened[i]->path, path) == 0) {
      *checkpoint = conversion->opened[i];
      return ATL_OK;
    }
  ATL_ASSERT(conversion->n_opened < MAX_OPEN);
  ATL_TRY(atl_checkpoint_open(path, &conversion->opened[conversion->n_opened]));
  *checkpoint = conversion->opened[conversion->n_opened++];
  return ATL_OK;
}

static atl_status_t assign_chosen(conversion_t *conversion) {
  for (int part = 0; part < ATL_N_PARTS; part++) {
    const char *path = conversion->settings->chosen[part];
    if (path == NULL) continue;
    ATL_TRY(open_source(conversion, path, &conversion->parts[part]));
    ATL_CHECK(conversion->parts[part]->parts[part].n_tensors > 0, INPUT, "%s: expected a %s in it, found none", path,
              atl_part_name((atl_part_t)part));
  }
  /* a DALLE's own dVAE comes with it */
  const atl_checkpoint_t *dalle = conversion->parts[ATL_PART_TRANSFORMER];
  if (dalle != NULL && conversion->parts[ATL_PART_VAE] == NULL && dalle->parts[ATL_PART_VAE].n_tensors > 0)
    conversion->parts[ATL_PART_VAE] = dalle;
  return ATL_OK;
}

static atl_status_t assign_found(conversion_t *conversion) {
  for (int i = 0; i < conversion->settings->n_sources; i++) {
    const atl_checkpoint_t *checkpoint;
    ATL_TRY(open_source(conversion, conversion->settings->sources[i], &checkpoint));
    for (int part = 0; part < ATL_N_PARTS; part++) {
      if (checkpoint->parts[part].n_tensors == 0 || conversion->settings->chosen[part] != NULL) continue;
      const atl_checkpoint_t *before = conversion->parts[part];
      const char *option = part == ATL_PART_TRANSFORMER ? "dalle" : atl_part_name((atl_part_t)part);
      ATL_CHECK(before == NULL || before == checkpoint, USAGE,
                "both %s and %s hold a %s; say which one to take with --%s FILE", before->path, checkpoint->path,
                atl_part_name((atl_part_t)part), option);
      conversion->parts[part] = checkpoint;
    }
  }
  return ATL_OK;
}

static void assign_tokenizers(conversion_t *conversion) {
  conversion->tokenizers[0] = conversion->settings->tokenizer;
  conversion->tokenizers[1] = conversion->settings->clip_tokenizer;
  for (int i = 0; i < conversion->n_opened; i++) {
    const atl_checkpoint_t *checkpoint = conversion->opened[i];
    if (conversion->tokenizers[0] == NULL) conversion->tokenizers[0] = checkpoint->tokenizer_path;
    if (conversion->tokenizers[1] == NULL) conversion->tokenizers[1] = checkpoint->clip_tokenizer_path;
  }
}

/* ---- do they fit ---- */

atl_status_t atl_convert_check_tokenizer(const char *path, const char *network, int32_t n_known) {
  atl_tokenizer_t *tokenizer;
  ATL_TRY(atl_tokenizer_open(path, &tokenizer));
  int32_t n_ids = atl_tokenizer_n_ids(tokenizer);
  atl_tokenizer_destroy(&tokenizer);
  ATL_CHECK(n_ids <= n_known, INPUT, "%s: this tokenizer has %d ids but the %s knows only %d; it is another model's",
            path, n_ids, network, n_known);
  return ATL_OK;
}

static atl_status_t check_parts(const conversion_t *conversion) {
  const atl_checkpoint_t *const *parts = conversion->parts;
  const atl_checkpoint_t *dalle = parts[ATL_PART_TRANSFORMER], *vae = parts[ATL_PART_VAE], *clip = parts[ATL_PART_CLIP];
  ATL_CHECK(dalle != NULL || vae != NULL || clip != NULL, USAGE, "there is nothing to convert: name a checkpoint");
  if (dalle != NULL && vae != NULL) ATL_TRY(atl_model_check(&dalle->transformer_config, &vae->vae_config, vae->path));
  ATL_CHECK(conversion->tokenizers[0] == NULL || dalle != NULL, USAGE,
            "--tokenizer is the transformer's, and there is no transformer among the sources");
  ATL_CHECK(conversion->tokenizers[1] == NULL || clip != NULL, USAGE,
            "--clip-tokenizer is CLIP's, and there is no CLIP among the sources");
  if (conversion->tokenizers[0] != NULL)
    ATL_TRY(
        atl_convert_check_tokenizer(conversion->tokenizers[0], "transformer", dalle->transformer_config.n_text_tokens));
  if (conversion->tokenizers[1] != NULL)
    ATL_TRY(atl_convert_check_tokenizer(conversion->tokenizers[1], "CLIP", clip->clip_config.vocabulary));
  return ATL_OK;
}

static atl_status_t path_in(const char *folder, const char *name, char path[PATH_BYTES]) {
  int n = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
  ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path is too long", folder);
  return ATL_OK;
}

static atl_status_t check_out(const atl_convert_t *settings) {
  if (!atl_file_exists_itself(settings->out)) return ATL_OK;
  ATL_CHECK(settings->force, INPUT, "%s: exists already; choose another --out, or --force to replace a model directory",
            settings->out);
  return atl_replace_check(settings->out);
}

/* ---- writing ---- */

/* A matrix has two sizes above 1; scales, norms, biases and the rotary table are kept at fp32. */
static atl_dtype_t stored_dtype(const atl_convert_t *settings, const atl_tensor_t *tensor) {
  if (settings->storage == ATL_N_DTYPES) return tensor->dtype;
  int n_wide = 0;
  for (int i = 0; i < tensor->n_dims; i++) n_wide += tensor->shape[i] > 1;
  return n_wide >= 2 && strcmp(tensor->name, "transformer.pos_emb") != 0 ? settings->storage : ATL_F32;
}

/* fp16 ends at 65504: a weight beyond would silently become infinite. */
static atl_status_t check_fits(const char *path, const atl_tensor_t *tensor) {
  size_t n_items;
  ATL_TRY(atl_tensor_n_items(tensor, &n_items));
  for (size_t i = 0; i < n_items; i++) {
    float value;
    atl_tensor_get_f32(tensor, i, 1, &value);
    ATL_CHECK(value > -65520.0F && value < 65520.0F, INPUT,
              "%s: tensor %s: item %zu is %g, more than f16 can hold; try --storage bf16", path, tensor->name, i,
              (double)value);
  }
  return ATL_OK;
}

/* {"file": name, "sha256": ...} of a file just written. */
static atl_status_t describe_file(const char *folder, const char *name, json_t **object) {
  char path[PATH_BYTES], digest[65];
  atl_file_map_t map;
  ATL_TRY(path_in(folder, name, path));
  ATL_TRY(atl_file_map(path, &map));
  atl_file_sha256(map.bytes, map.n_bytes, digest);
  atl_file_unmap(&map);
  *object = json_pack("{s:s, s:s}", "file", name, "sha256", digest);
  return ATL_OK;
}

static atl_status_t config_to_json(const atl_checkpoint_t *checkpoint, atl_part_t part, json_t **config) {
  if (part == ATL_PART_TRANSFORMER) return atl_transformer_config_to_json(&checkpoint->transformer_config, config);
  if (part == ATL_PART_VAE) return atl_vae_config_to_json(&checkpoint->vae_config, config);
  return atl_clip_config_to_json(&checkpoint->clip_config, config);
}

static atl_status_t save_tensors(const conversion_t *conversion, const atl_checkpoint_t *checkpoint, atl_part_t part,
                                 const char *name) {
  const atl_checkpoint_part_t *tensors = &checkpoint->parts[part];
  char path[PATH_BYTES];
  ATL_TRY(path_in(conversion->folder, name, path));
  atl_dtype_t *stored;
  ATL_TRY(ATL_NEW(tensors->n_tensors, &stored));
  atl_status_t status = ATL_OK;
  for (size_t i = 0; i < tensors->n_tensors && status == ATL_OK; i++) {
    stored[i] = stored_dtype(conversion->settings, &tensors->tensors[i]);
    if (stored[i] == ATL_F16 && tensors->tensors[i].dtype != ATL_F16)
      status = check_fits(checkpoint->path, &tensors->tensors[i]);
  }
  if (status == ATL_OK) status = atl_safetensors_save_as(path, tensors->tensors, stored, tensors->n_tensors, NULL, 0);
  ATL_DESTROY(&stored);
  return status;
}

static atl_status_t write_part(const conversion_t *conversion, atl_part_t part) {
  const atl_checkpoint_t *checkpoint = conversion->parts[part];
  if (checkpoint == NULL) return ATL_OK;
  char name[64];
  json_t *object, *config;
  snprintf(name, sizeof name, "%s.safetensors", atl_part_name(part));
  ATL_TRY(save_tensors(conversion, checkpoint, part, name));
  ATL_TRY(describe_file(conversion->folder, name, &object));
  json_object_set_new(conversion->root, atl_part_name(part), object);
  ATL_TRY(config_to_json(checkpoint, part, &config));
  json_object_set_new(object, "config", config);
  return ATL_OK;
}

/* By what it is, not by what it was called: JSON, gzip, or plain merges. */
static const char *tokenizer_suffix(const atl_file_map_t *map) {
  size_t i = 0;
  while (i < map->n_bytes && isspace(map->bytes[i])) i++;
  if (i < map->n_bytes && map->bytes[i] == '{') return "json";
  return map->n_bytes >= 2 && map->bytes[0] == 0x1f && map->bytes[1] == 0x8b ? "bpe.txt.gz" : "bpe.txt";
}

atl_status_t atl_convert_add_tokenizer(const char *from, const char *part, const char *folder, json_t *root) {
  atl_file_map_t map;
  char name[64], path[PATH_BYTES];
  json_t *object;
  ATL_TRY(atl_file_map(from, &map));
  snprintf(name, sizeof name, "%s.%s", part, tokenizer_suffix(&map));
  atl_status_t status = path_in(folder, name, path);
  if (status == ATL_OK) status = atl_file_write(path, map.bytes, map.n_bytes);
  atl_file_unmap(&map);
  ATL_TRY(status);
  ATL_TRY(describe_file(folder, name, &object));
  json_object_set_new(root, part, object);
  return ATL_OK;
}

static const char *last_component(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* Where the parts come from: names without folders, and the digests by which the sources can be found again. */
static atl_status_t describe_sources(const conversion_t *conversion) {
  json_t *sources = json_object();
  for (int part = 0; part < ATL_N_PARTS; part++) {
    const atl_checkpoint_t *checkpoint = conversion->parts[part];
    if (checkpoint == NULL) continue;
    json_t *source = json_pack("{s:s}", "file", last_component(checkpoint->path));
    json_object_set_new(sources, atl_part_name((atl_part_t)part), source);
    if (checkpoint->version != NULL)
      json_object_set_new(source, "checkpoint_version", json_string(checkpoint->version));
    if (checkpoint->vae_class != NULL)
      json_object_set_new(source, "vae_class_name", json_string(checkpoint->vae_class));
    char digest[65];
    if (checkpoint->model != NULL) {
      memcpy(digest, checkpoint->model->digest, sizeof digest);
    } else {
      atl_file_map_t map;
      ATL_TRY(atl_file_map(checkpoint->path, &map));
      atl_file_sha256(map.bytes, map.n_bytes, digest);
      atl_file_unmap(&map);
    }
    json_object_set_new(source, "sha256", json_string(digest));
  }
  json_t *provenance =
      json_pack("{s:s, s:s, s:o}", "tool", "atelier " ATL_VERSION, "storage",
                conversion->settings->storage == ATL_N_DTYPES ? "as in the source"
                                                              : atl_dtype_name(conversion->settings->storage),
                "sources", sources);
  json_object_set_new(conversion->root, "provenance", provenance);
  return ATL_OK;
}

static atl_status_t write_folder(conversion_t *conversion) {
  const atl_convert_t *settings = conversion->settings;
  char path[PATH_BYTES];
  ATL_TRY(atl_file_make_directory(conversion->folder));
  conversion->root = json_pack("{s:i, s:s}", "format", 1, "name",
                               settings->name != NULL ? settings->name : last_component(settings->out));
  ATL_CHECK(conversion->root != NULL, INPUT, "the model's name is not UTF-8 text; try --name NAME");
  for (int part = 0; part < ATL_N_PARTS; part++) ATL_TRY(write_part(conversion, (atl_part_t)part));
  for (int i = 0; i < 2; i++)
    if (conversion->tokenizers[i] != NULL)
      ATL_TRY(atl_convert_add_tokenizer(conversion->tokenizers[i], the_tokenizer_parts[i], conversion->folder,
                                        conversion->root));
  ATL_TRY(describe_sources(conversion));
  ATL_TRY(path_in(conversion->folder, "model.json", path));
  return atl_json_save(conversion->root, path);
}

static atl_status_t prepare(conversion_t *conversion) {
  ATL_TRY(check_out(conversion->settings));
  ATL_TRY(assign_chosen(conversion));
  ATL_TRY(assign_found(conversion));
  assign_tokenizers(conversion);
  return check_parts(conversion);
}

static atl_status_t write_out(conversion_t *conversion) {
  int n = snprintf(conversion->folder, PATH_BYTES, "%s.tmp.%ld", conversion->settings->out, (long)getpid());
  ATL_CHECK(n > 0 && n < PATH_BYTES, INPUT, "%s: the path is too long", conversion->settings->out);
  atl_status_t status = write_folder(conversion);
  if (status == ATL_OK) status = atl_replace_run(conversion->folder, conversion->settings->out);
  if (status == ATL_OK) return ATL_OK;
  char reason[1024]; /* is what the user hears, not what cleaning up may say */
  snprintf(reason, sizeof reason, "%s", atl_status_message());
  (void)atl_file_remove_directory(conversion->folder);
  return atl_status_fail(status, __FILE__, __LINE__, __func__, "%s", reason);
}

atl_status_t atl_convert_run(const atl_convert_t *settings) {
  conversion_t *conversion;
  ATL_CHECK(settings->out != NULL && *settings->out != '\0', USAGE,
            "where to? name the model directory with --out DIR");
  ATL_TRY(ATL_NEW(1, &conversion));
  conversion->settings = settings;
  atl_status_t status = prepare(conversion);
  if (status == ATL_OK) status = write_out(conversion);
  json_decref(conversion->root);
  for (int i = 0; i < conversion->n_opened; i++) atl_checkpoint_destroy(&conversion->opened[i]);
  ATL_DESTROY(&conversion);
  return status;
}
