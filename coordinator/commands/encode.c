/* atelier encode: turns pictures into image tokens, as JSON lines or a tensor file, which `atelier decode` reads. */
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/memory.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "model/vae/prime.h"

typedef struct {
  const char *model, *out;
} settings_t;

static const atl_option_t options[] = {
    {"model", ATL_OPTION_TEXT, offsetof(settings_t, model), "DIR", NULL, "use the dVAE of the model directory DIR"},
    {"out", ATL_OPTION_TEXT, offsetof(settings_t, out), "FILE", "-",
     "write a tensor codes (pictures, tokens) to a .safetensors FILE; - prints one JSON line per picture"},
    {0}};

static const atl_usage_t usage = {
    .command = "encode",
    .synopsis = "--model DIR [--out FILE.safetensors] IMAGE ...",
    .summary = "Turns PNG pictures, resized as Pillow does and cropped at the centre, into image tokens.",
    .examples = "  atelier encode --model weights/emoji heart.png dog.png\n"
                "  atelier encode --model weights/emoji heart.png --out heart.safetensors",
    .options = options,
    .operands = "IMAGE ..."};

static atl_status_t print_line(const char *path, const int32_t *codes, size_t n) {
  json_t *list = json_array(), *line = NULL;
  for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer(codes[i]));
  if (list) line = json_pack("{s:s, s:o}", "image", path, "codes", list);
  ATL_CHECK(line, INPUT, "%s: the file's name is not UTF-8, or there is no memory for its %zu image tokens", path, n);
  int result = json_dumpf(line, stdout, JSON_COMPACT);
  json_decref(line);
  ATL_CHECK(result == 0 && putchar('\n') != EOF, IO, "standard output cannot be written");
  return ATL_OK;
}

static atl_status_t write_codes(const settings_t *settings, const atl_text_list_t *images, const int32_t *codes,
                                size_t length) {
  if (strcmp(settings->out, "-") != 0) {
    const atl_tensor_t tensor = {"codes", ATL_I32, 2, {images->n, (int64_t)length}, codes};
    return atl_safetensors_save(settings->out, &tensor, 1, NULL, 0);
  }
  for (int i = 0; i < images->n; i++) ATL_TRY(print_line(images->items[i], codes + (size_t)i * length, length));
  return ATL_OK;
}

static atl_status_t encode_all(const atl_model_t *model, const settings_t *settings, const atl_text_list_t *images) {
  int32_t side = model->vae_config.image_size >> model->vae_config.n_layers;
  size_t length = (size_t)side * (size_t)side;
  atl_dvae_t *vae;
  int32_t *codes = NULL;
  ATL_TRY(atl_dvae_new(model, ATL_DVAE_ENCODER, &vae));
  atl_status_t status = ATL_NEW((size_t)images->n * length, &codes);
  for (int i = 0; status == ATL_OK && i < images->n; i++)
    status = atl_prime_encode(model, vae, images->items[i], codes + (size_t)i * length);
  if (status == ATL_OK) status = write_codes(settings, images, codes, length);
  ATL_DESTROY(&codes);
  atl_dvae_destroy(&vae);
  return status;
}

static atl_status_t run(const void *context, const atl_text_list_t *images) {
  const settings_t *settings = context;
  ATL_CHECK(settings->model, USAGE, "expected --model DIR; see atelier encode --help");
  ATL_CHECK(images->n > 0, USAGE, "expected at least one PNG picture; see atelier encode --help");
  atl_model_t *model;
  ATL_TRY(atl_model_open(settings->model, &model));
  atl_status_t status = encode_all(model, settings, images);
  atl_model_destroy(&model);
  return status;
}

atl_status_t atl_command_encode(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
