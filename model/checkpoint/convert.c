/* All sources are opened and checked before anything is written. */
#include "model/checkpoint/convert.h"

#include <string.h>

#include "common/file.h"
#include "common/version.h"
#include "model/checkpoint/replace.h"
#include "model/checkpoint/write.h"

enum { MAX_OPEN = ATL_MAX_SOURCES + ATL_N_PARTS };

typedef struct {
  const atl_convert_t *settings;
  atl_checkpoint_t *opened[MAX_OPEN];
  int n_opened;
  const atl_checkpoint_t *parts[ATL_N_PARTS]; /* where each part comes from, or NULL */
  const char *tokenizers[2];                  /* files to copy, the transformer's and CLIP's, or NULL */
  atl_write_t write;
} conversion_t;

static const char *const tokenizer_parts[2] = {"tokenizer", "clip_tokenizer"};

/* ---- sources of the parts ---- */

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
  /* A DALLE checkpoint brings its own dVAE. */
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
      ATL_CHECK(before == NULL || before == checkpoint, USAGE, "both %s and %s have a %s; choose one with --%s FILE",
                before->path, checkpoint->path, atl_part_name((atl_part_t)part), option);
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

/* ---- checks ---- */

static atl_status_t check_parts(const conversion_t *conversion) {
  const atl_checkpoint_t *const *parts = conversion->parts;
  const atl_checkpoint_t *dalle = parts[ATL_PART_TRANSFORMER], *vae = parts[ATL_PART_VAE], *clip = parts[ATL_PART_CLIP];
  ATL_CHECK(dalle != NULL || vae != NULL || clip != NULL, USAGE, "there is nothing to convert: name a checkpoint");
  if (dalle != NULL && vae != NULL) ATL_TRY(atl_model_check(&dalle->transformer_config, &vae->vae_config, vae->path));
  ATL_CHECK(conversion->tokenizers[0] == NULL || dalle != NULL, USAGE,
            "--tokenizer is for the transformer, but no source has one");
  ATL_CHECK(conversion->tokenizers[1] == NULL || clip != NULL, USAGE,
            "--clip-tokenizer is for CLIP, but no source has one");
  if (conversion->tokenizers[0] != NULL)
    ATL_TRY(
        atl_write_check_tokenizer(conversion->tokenizers[0], "transformer", dalle->transformer_config.n_text_tokens));
  if (conversion->tokenizers[1] != NULL)
    ATL_TRY(atl_write_check_tokenizer(conversion->tokenizers[1], "CLIP", clip->clip_config.vocabulary));
  return ATL_OK;
}

static atl_status_t check_out(const atl_convert_t *settings) {
  if (!atl_file_exists_itself(settings->out)) return ATL_OK;
  ATL_CHECK(settings->force, INPUT, "%s: exists already; choose another --out, or --force to replace a model directory",
            settings->out);
  return atl_replace_check(settings->out);
}

/* ---- writing ---- */

static const void *config_of(const atl_checkpoint_t *checkpoint, atl_part_t part) {
  if (part == ATL_PART_TRANSFORMER) return &checkpoint->transformer_config;
  return part == ATL_PART_VAE ? (const void *)&checkpoint->vae_config : &checkpoint->clip_config;
}

static atl_status_t write_part(conversion_t *conversion, atl_part_t part) {
  const atl_checkpoint_t *checkpoint = conversion->parts[part];
  if (checkpoint == NULL) return ATL_OK;
  const void *config = config_of(checkpoint, part);
  atl_table_list_t list = {0};
  json_t *object;
  atl_status_t status = atl_table_list(atl_part_table(part), config, &list);
  if (status == ATL_OK)
    status = atl_write_tensors(&conversion->write, part, checkpoint->path, checkpoint->parts[part].tensors, &list,
                               conversion->settings->storage);
  atl_table_clear_list(&list);
  ATL_TRY(status);
  ATL_TRY(atl_part_config_to_json(part, config, &object));
  return atl_write_set(&conversion->write, atl_part_name(part), "config", object);
}

static const char *last_component(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* Writes the provenance of the parts: file names without folders, and digests that identify the sources. */
static atl_status_t describe_sources(conversion_t *conversion) {
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
  return atl_write_set(&conversion->write, "provenance", NULL, provenance);
}

static atl_status_t write_parts(conversion_t *conversion) {
  for (int part = 0; part < ATL_N_PARTS; part++) ATL_TRY(write_part(conversion, (atl_part_t)part));
  for (int i = 0; i < 2; i++)
    if (conversion->tokenizers[i] != NULL)
      ATL_TRY(atl_write_tokenizer(&conversion->write, tokenizer_parts[i], conversion->tokenizers[i]));
  return describe_sources(conversion);
}

static atl_status_t prepare(conversion_t *conversion) {
  ATL_TRY(check_out(conversion->settings));
  ATL_TRY(assign_chosen(conversion));
  ATL_TRY(assign_found(conversion));
  assign_tokenizers(conversion);
  return check_parts(conversion);
}

static atl_status_t write_out(conversion_t *conversion) {
  const atl_convert_t *settings = conversion->settings;
  const char *name = settings->name != NULL ? settings->name : last_component(settings->out);
  atl_status_t status = atl_write_start(settings->out, name, &conversion->write);
  if (status == ATL_OK) status = write_parts(conversion);
  return atl_write_end(&conversion->write, status);
}

atl_status_t atl_convert_run(const atl_convert_t *settings) {
  conversion_t *conversion;
  ATL_CHECK(settings->out != NULL && *settings->out != '\0', USAGE,
            "expected a directory to write to; name it with --out DIR");
  ATL_TRY(ATL_NEW(1, &conversion));
  conversion->settings = settings;
  atl_status_t status = prepare(conversion);
  if (status == ATL_OK) status = write_out(conversion);
  for (int i = 0; i < conversion->n_opened; i++) atl_checkpoint_destroy(&conversion->opened[i]);
  ATL_DESTROY(&conversion);
  return status;
}
