/* atelier convert: converts checkpoints into a model directory, or writes one with random weights. */
#include <stdio.h>
#include <string.h>

#include "common/memory.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "model/checkpoint/convert.h"
#include "model/checkpoint/random.h"

typedef struct {
  const char *out, *dalle, *vae, *clip, *tokenizer, *clip_tokenizer, *name, *storage, *random;
  bool force;
} settings_t;

static const atl_option_t options[] = {
    {"out", ATL_OPTION_TEXT, offsetof(settings_t, out), "DIR", NULL, "write the model directory DIR"},
    {"dalle", ATL_OPTION_TEXT, offsetof(settings_t, dalle), "FILE", NULL,
     "read the transformer (and its dVAE) from FILE"},
    {"vae", ATL_OPTION_TEXT, offsetof(settings_t, vae), "FILE", NULL, "read the dVAE from FILE"},
    {"clip", ATL_OPTION_TEXT, offsetof(settings_t, clip), "FILE", NULL, "read CLIP from FILE"},
    {"tokenizer", ATL_OPTION_TEXT, offsetof(settings_t, tokenizer), "FILE", NULL,
     "copy the transformer's tokenizer from FILE: CLIP merges (plain or .gz) or a Hugging Face tokenizer.json"},
    {"clip-tokenizer", ATL_OPTION_TEXT, offsetof(settings_t, clip_tokenizer), "FILE", NULL,
     "copy CLIP's tokenizer from FILE"},
    {"storage", ATL_OPTION_TEXT, offsetof(settings_t, storage), "DTYPE", NULL,
     "store matrices as f32, f16 or bf16 (default: as in the source)"},
    {"name", ATL_OPTION_TEXT, offsetof(settings_t, name), "NAME", NULL,
     "name the model NAME (default: the name of the directory)"},
    {"random", ATL_OPTION_TEXT, offsetof(settings_t, random), "SHAPE", NULL,
     "write a model with random weights instead: dalle-1024-full, dalle-1024-sparse, mindalle-1.3b, dalle-12b or tiny, "
     "followed by or replaced by KEY=VALUE,... (width layers heads head_size text text_ids side codes attention rotary "
     "shift ... clip)"},
    {"force", ATL_OPTION_FLAG, offsetof(settings_t, force), NULL, NULL, "replace an existing model directory"},
    {0}};

static const atl_usage_t usage = {
    .command = "convert",
    .synopsis = "CHECKPOINT ... --out DIR [options]",
    .summary = "Converts checkpoints of DALLE-pytorch, its DiscreteVAE and OpenAI CLIP into a model directory.",
    .examples =
        "  atelier convert dalle.pt clip.pt --tokenizer bpe.txt --clip-tokenizer bpe.txt --out mymodel\n"
        "  atelier convert --dalle dalle.pt --clip ViT-B-32.pt --storage f16 --out mymodel\n"
        "  atelier convert mymodel --storage bf16 --out mymodel-bf16\n"
        "  atelier convert --random dalle-1024-full,layers=2 --storage bf16 --tokenizer bpe.txt --out bench-model\n",
    .options = options,
    .operands = "CHECKPOINT ..."};

static atl_status_t read_storage(const char *text, atl_dtype_t *dtype) {
  *dtype = text == NULL ? ATL_N_DTYPES : atl_dtype_find(text, strlen(text));
  ATL_CHECK(text == NULL || *dtype == ATL_F32 || *dtype == ATL_F16 || *dtype == ATL_BF16, USAGE,
            "--storage %s: expected f32, f16 or bf16", text);
  return ATL_OK;
}

/* Strips trailing slashes: "out/" and "out" are the same directory. USAGE: the path is too long. */
static atl_status_t trim(const char *path, char text[4096]) {
  size_t n = path == NULL ? 0 : strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  ATL_CHECK(n < 4096, USAGE, "--out: the path is too long");
  memcpy(text, path == NULL ? "" : path, n);
  text[n] = '\0';
  return ATL_OK;
}

static void print_done(const atl_model_t *model) {
  char text[1024];
  printf("%s: model %s\n", model->directory, model->name);
  if (model->has_transformer)
    printf("  transformer  %s\n", atl_transformer_config_describe(&model->transformer_config, text, sizeof text));
  if (model->has_vae) printf("  dVAE         %s\n", atl_vae_config_describe(&model->vae_config, text, sizeof text));
  if (model->has_clip) printf("  CLIP         %s\n", atl_clip_config_describe(&model->clip_config, text, sizeof text));
  if (model->has_transformer && model->tokenizer_path == NULL)
    printf("  no tokenizer: the model cannot read prompts; convert again with --tokenizer FILE\n");
  if (model->has_clip && model->clip_tokenizer_path == NULL)
    printf("  no CLIP tokenizer: the model cannot rank pictures; convert again with --clip-tokenizer FILE\n");
}

static atl_status_t write_random(const settings_t *settings, const atl_text_list_t *operands, const char *out) {
  atl_random_model_t wanted = {.shape = settings->random,
                               .directory = out,
                               .name = settings->name,
                               .tokenizer = settings->tokenizer,
                               .clip_tokenizer = settings->clip_tokenizer};
  const char *source = operands->n > 0   ? operands->items[0]
                       : settings->dalle ? settings->dalle
                       : settings->vae   ? settings->vae
                                         : settings->clip;
  ATL_CHECK(source == NULL, USAGE, "--random writes a model from scratch; expected no checkpoint, found %s", source);
  ATL_CHECK(!settings->force, USAGE, "--force cannot be combined with --random; remove %s, or choose another --out",
            out);
  ATL_CHECK(*out != '\0', USAGE, "expected --out DIR, the model directory to write; found none");
  ATL_TRY(read_storage(settings->storage, &wanted.storage));
  if (wanted.storage == ATL_N_DTYPES) wanted.storage = ATL_F32;
  return atl_random_model_write(&wanted);
}

static atl_status_t convert_sources(const settings_t *settings, const atl_text_list_t *operands, const char *out) {
  atl_convert_t wanted = {.n_sources = operands->n,
                          .chosen = {settings->dalle, settings->vae, settings->clip},
                          .tokenizer = settings->tokenizer,
                          .clip_tokenizer = settings->clip_tokenizer,
                          .name = settings->name,
                          .out = out,
                          .force = settings->force};
  ATL_CHECK(operands->n <= ATL_MAX_SOURCES, USAGE, "expected at most %d checkpoints, found %d", ATL_MAX_SOURCES,
            operands->n);
  for (int i = 0; i < operands->n; i++) wanted.sources[i] = operands->items[i];
  ATL_TRY(read_storage(settings->storage, &wanted.storage));
  return atl_convert_run(&wanted);
}

static atl_status_t run(const void *context, const atl_text_list_t *operands) {
  const settings_t *settings = context;
  char out[4096];
  ATL_TRY(trim(settings->out, out));
  ATL_TRY(settings->random != NULL ? write_random(settings, operands, out) : convert_sources(settings, operands, out));
  atl_model_t *model; /* opened again to check what was written */
  ATL_TRY(atl_model_open(out, &model));
  print_done(model);
  atl_model_destroy(&model);
  return ATL_OK;
}

atl_status_t atl_command_convert(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
