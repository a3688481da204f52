/* atelier decode: turns image tokens into PNG pictures. Reads a tensor file or JSON lines, as `atelier encode` writes
 * them. */
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/image.h"
#include "common/json.h"
#include "common/memory.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "coordinator/runfolder/output.h"
#include "model/vae/dvae.h"

enum { MAX_FILE_BYTES = 1 << 30 };

typedef struct {
  const char *model, *tokens, *out;
} settings_t;

static const atl_option_t options[] = {
    {"model", ATL_OPTION_TEXT, offsetof(settings_t, model), "DIR", NULL, "use the dVAE of the model directory DIR"},
    {"tokens", ATL_OPTION_TEXT, offsetof(settings_t, tokens), "FILE", NULL,
     "read image tokens from FILE: .safetensors with a tensor codes (pictures, "
     "tokens), or JSON lines {\"codes\": [...]}"},
    {"out", ATL_OPTION_TEXT, offsetof(settings_t, out), "DIR", NULL,
     "write 00001.png, 00002.png, ... into DIR, which must be new or empty"},
    {0}};

static const atl_usage_t usage = {.command = "decode",
                                  .synopsis = "--model DIR --tokens FILE --out DIR",
                                  .summary = "Turns image tokens into PNG pictures.",
                                  .examples = "  atelier encode --model weights/emoji heart.png > heart.jsonl\n"
                                              "  atelier decode --model weights/emoji --tokens heart.jsonl --out again",
                                  .options = options};

typedef struct {
  const char *where;
  size_t length; /* image tokens per picture */
  int32_t *codes;
  size_t n_pictures, capacity; /* in pictures */
} grids_t;

static atl_status_t add_grid(grids_t *grids) {
  if (grids->n_pictures == grids->capacity) {
    size_t capacity = grids->capacity * 2 + 16;
    ATL_TRY(ATL_RESIZE(capacity * grids->length, &grids->codes));
    grids->capacity = capacity;
  }
  grids->n_pictures++;
  return ATL_OK;
}

/* ---- tensor files ---- */

static int64_t get_code(const atl_tensor_t *tensor, size_t i) {
  const char *item = (const char *)tensor->data + i * atl_dtype_bytes(tensor->dtype);
  int64_t wide;
  int32_t narrow;
  uint16_t small;
  switch (tensor->dtype) {
  case ATL_I64: return memcpy(&wide, item, sizeof wide), wide;
  case ATL_I32: return memcpy(&narrow, item, sizeof narrow), narrow;
  default: return memcpy(&small, item, sizeof small), small;
  }
}

static atl_status_t take_tensor(const atl_tensor_t *tensor, grids_t *grids) {
  char text[96];
  ATL_CHECK(tensor, INPUT, "%s: expected a tensor named codes, found none", grids->where);
  ATL_CHECK(tensor->n_dims == 2 && tensor->shape[1] == (int64_t)grids->length && tensor->shape[0] > 0 &&
                (tensor->dtype == ATL_I32 || tensor->dtype == ATL_I64 || tensor->dtype == ATL_U16),
            INPUT, "%s: expected codes as I32, I64 or U16 [pictures, %zu], found %s", grids->where, grids->length,
            atl_tensor_describe(tensor, text, sizeof text));
  grids->n_pictures = (size_t)tensor->shape[0];
  ATL_TRY(ATL_NEW(grids->n_pictures * grids->length, &grids->codes));
  for (size_t i = 0; i < grids->n_pictures * grids->length; i++) {
    int64_t code = get_code(tensor, i);
    grids->codes[i] =
        code < 0 || code > INT32_MAX ? -1 : (int32_t)code; /* check_grids refuses -1 and names its position */
  }
  return ATL_OK;
}

static atl_status_t load_tensor(grids_t *grids) {
  atl_safetensors_t *file;
  ATL_TRY(atl_safetensors_open(grids->where, &file));
  atl_status_t status = take_tensor(atl_safetensors_find(file, "codes"), grids);
  atl_safetensors_destroy(&file);
  return status;
}

/* ---- JSON lines ---- */

static atl_status_t take_object(const json_t *object, int64_t n_line, grids_t *grids) {
  const json_t *list = json_object_get(object, "codes");
  ATL_CHECK(json_is_array(list) && json_array_size(list) == grids->length, INPUT,
            "%s, line %lld: expected \"codes\" with %zu image tokens, found %zu", grids->where, (long long)n_line,
            grids->length, json_array_size(list));
  ATL_TRY(add_grid(grids));
  int32_t *codes = grids->codes + (grids->n_pictures - 1) * grids->length;
  for (size_t i = 0; i < grids->length; i++) {
    const json_t *item = json_array_get(list, i);
    json_int_t code = json_integer_value(item);
    ATL_CHECK(json_is_integer(item) && code >= 0 && code <= INT32_MAX, INPUT,
              "%s, line %lld: image token %zu: expected an integer of at least 0", grids->where, (long long)n_line, i);
    codes[i] = (int32_t)code;
  }
  return ATL_OK;
}

static atl_status_t parse_lines(const char *text, size_t n_bytes, grids_t *grids) {
  const char *end = text + n_bytes;
  for (int64_t n_line = 1; text < end; n_line++) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    if (!stop) stop = end;
    if (stop > text) {
      char where[512];
      json_t *object;
      snprintf(where, sizeof where, "%s, line %lld", grids->where, (long long)n_line);
      ATL_TRY(atl_json_parse(text, (size_t)(stop - text), where, &object));
      atl_status_t status = take_object(object, n_line, grids);
      json_decref(object);
      ATL_TRY(status);
    }
    text = stop + 1;
  }
  ATL_CHECK(grids->n_pictures > 0, INPUT, "%s: expected JSON lines with \"codes\", found none", grids->where);
  return ATL_OK;
}

static atl_status_t load_lines(grids_t *grids) {
  char *text;
  size_t n_bytes;
  ATL_TRY(atl_file_read(grids->where, MAX_FILE_BYTES, &text, &n_bytes));
  atl_status_t status = parse_lines(text, n_bytes, grids);
  ATL_DESTROY(&text);
  return status;
}

/* A tensor file begins with its header size as 8 little-endian bytes, the upper ones of which are zero; text has no
 * zero bytes. */
static atl_status_t load_grids(grids_t *grids) {
  atl_file_map_t map;
  ATL_TRY(atl_file_map(grids->where, &map));
  bool is_tensor_file = map.n_bytes >= 8 && memchr(map.bytes, 0, 8) != NULL;
  atl_file_unmap(&map);
  return is_tensor_file ? load_tensor(grids) : load_lines(grids);
}

/* ---- pictures ---- */

static atl_status_t decode_one(const atl_model_t *model, atl_dvae_t *vae, const int32_t *codes, float *pixels,
                               atl_image_t *image, const char *path) {
  const atl_image_text_t texts[] = {{"Software", "atelier"}, {"model", model->name}};
  ATL_TRY(atl_dvae_decode(vae, pixels, codes, 1));
  atl_dvae_to_rgb(vae, image->pixels, pixels);
  return atl_image_save(path, image, ATL_IMAGE_LEVEL, texts, 2);
}

static atl_status_t decode_grids(const atl_model_t *model, const settings_t *settings, atl_dvae_t *vae,
                                 const grids_t *grids, atl_image_t *image) {
  size_t n_items = (size_t)image->width * (size_t)image->height * (size_t)image->n_channels;
  float *pixels;
  ATL_TRY(ATL_NEW(n_items, &pixels));
  atl_status_t status = atl_file_make_directory(settings->out);
  for (size_t i = 0; status == ATL_OK && i < grids->n_pictures; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%05zu.png", settings->out, i + 1);
    status = decode_one(model, vae, grids->codes + i * grids->length, pixels, image, path);
  }
  ATL_DESTROY(&pixels);
  return status;
}

static atl_status_t check_grids(const atl_vae_config_t *config, const grids_t *grids) {
  for (size_t i = 0; i < grids->n_pictures * grids->length; i++)
    ATL_CHECK(grids->codes[i] >= 0 && grids->codes[i] < config->n_tokens, INPUT,
              "%s: image token %zu of picture %zu: expected 0 to %d, found %d", grids->where, i % grids->length,
              i / grids->length + 1, config->n_tokens - 1, grids->codes[i]);
  return ATL_OK;
}

static atl_status_t decode_all(const atl_model_t *model, const settings_t *settings, grids_t *grids) {
  const atl_vae_config_t *config = &model->vae_config;
  ATL_CHECK(model->has_vae, INPUT, "%s: the model has no VAE; add one with atelier convert --vae", settings->model);
  int32_t side = config->image_size >> config->n_layers;
  grids->where = settings->tokens, grids->length = (size_t)side * (size_t)side;
  ATL_TRY(load_grids(grids));
  ATL_TRY(check_grids(config, grids));
  atl_image_t image;
  ATL_TRY(atl_image_init(&image, config->image_size, config->image_size, config->n_channels));
  atl_dvae_t *vae;
  atl_status_t status = atl_dvae_new(model, ATL_DVAE_DECODER, &vae);
  if (status == ATL_OK) status = decode_grids(model, settings, vae, grids, &image);
  atl_dvae_destroy(&vae);
  atl_image_clear(&image);
  return status;
}

static atl_status_t run(const void *context, const atl_text_list_t *operands) {
  (void)operands;
  const settings_t *settings = context;
  ATL_CHECK(settings->model && settings->tokens && settings->out, USAGE,
            "expected --model DIR, --tokens FILE and --out DIR; see atelier decode --help");
  ATL_TRY(atl_output_check(settings->out));
  atl_model_t *model;
  ATL_TRY(atl_model_open(settings->model, &model));
  grids_t grids = {0};
  atl_status_t status = decode_all(model, settings, &grids);
  ATL_DESTROY(&grids.codes);
  atl_model_destroy(&model);
  return status;
}

atl_status_t atl_command_decode(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
