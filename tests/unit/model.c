// TEST np=1
/* A model directory opens when all of it fits together; weights bind by name and shape; names are found however many
 * wrappers they carry. */
#include "model/checkpoint/model.h"

#include <stdlib.h>

#include "common/file.h"
#include "model/checkpoint/import/names.h"
#include "model/checkpoint/weights.h"
#include "tests/support/tap.h"

static char the_folder[] = "/tmp/atelier-model-XXXXXX";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", the_folder, name);
  return path;
}

#define VAE                                                                                                            \
  "{\"image_size\":32,\"n_layers\":3,\"n_res_blocks\":1,\"n_tokens\":96,\"codebook_width\":48,"                        \
  "\"hidden_width\":32,\"n_channels\":3,\"mean\":[0.5,0.5,0.5],\"std\":[0.5,0.5,0.5]}"
#define TRANSFORMER(side, codes)                                                                                       \
  "{\"width\":64,\"n_layers\":1,\"n_heads\":2,\"head_size\":32,\"text_length\":8,\"n_text_tokens\":120,"               \
  "\"image_side\":" side ",\"n_image_tokens\":" codes ",\"reversible\":false,\"stable\":false,"                        \
  "\"sandwich_norm\":false,\"shift_tokens\":true,\"rotary\":true,\"share_embeddings\":false,"                          \
  "\"attention\":[\"full\"],\"attention_owner\":[0],\"feed_forward_owner\":[0]}"
#define MODEL(side, codes, file)                                                                                       \
  "{\"format\":1,\"name\":\"tiny\",\"transformer\":{\"config\":" TRANSFORMER(                                          \
      side, codes) ",\"file\":\"" file "\"},\"vae\":{\"config\":" VAE ",\"file\":\"t.safetensors\"}}"

static void open_as(const char *json, atl_status_t want, const char *words, const char *name) {
  atl_model_t *model;
  if (atl_file_write(path_of("model.json"), json, strlen(json)) != ATL_OK) return;
  atl_status_t status = atl_model_open(the_folder, &model);
  TAP_STATUS(want, status, name);
  if (status == ATL_OK) {
    TAP_OK(strcmp(model->name, words) == 0 && strlen(model->digest) == 64, "it has its name and digest");
    TAP_OK(model->has_transformer && model->has_vae && !model->has_clip && model->tokenizer_path == NULL,
           "and its parts");
  } else if (!TAP_OK(strstr(atl_status_message(), words) != NULL, "and says so")) {
    printf("# %s\n", atl_status_message());
  }
  atl_model_destroy(&model);
}

static void test_open(void) {
  atl_model_t *model;
  TAP_STATUS(ATL_INPUT, atl_model_open("/nonexistent", &model), "a missing directory is refused");
  TAP_STATUS(ATL_INPUT, atl_model_open(the_folder, &model), "a directory without model.json is refused");
  open_as(MODEL("4", "96", "t.safetensors"), ATL_OK, "tiny", "a model that fits opens");
  open_as(MODEL("4", "95", "t.safetensors"), ATL_INPUT, "95 image codes", "other codes than the dVAE's are refused");
  open_as(MODEL("8", "96", "t.safetensors"), ATL_INPUT, "8x8", "another side than the dVAE's is refused");
  open_as(MODEL("4", "96", "../t.safetensors"), ATL_INPUT, "plain name", "a file outside the directory is refused");
  open_as(MODEL("4", "96", "none.safetensors"), ATL_INPUT, "none.safetensors", "a missing file is refused");
  open_as("{\"format\":2}", ATL_INPUT, "format", "a later format is refused");
  open_as("{\"format\":1,\"name\":\"x\"}", ATL_INPUT, "found none", "a model of no parts is refused");
  open_as("{\"format\":1,\"name\":\"x\",\"vae\":3}", ATL_INPUT, "\"vae\"", "a part that is a number is refused");
}

/* Writes without syncing: a test of thousands of files need not survive a power cut. */
static bool overwrite(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool is_written = fwrite(bytes, 1, n, file) == n;
  return fclose(file) == 0 && is_written;
}

/* Each byte of model.json in turn is another. */
static void test_damage(void) {
  char json[] = MODEL("4", "96", "t.safetensors");
  size_t n = strlen(json), n_refused = 0;
  for (size_t i = 0; i < n; i++) {
    atl_model_t *model;
    char kept = json[i];
    json[i] = "9\"{x"[i % 4];
    if (!overwrite(path_of("model.json"), json, n)) return;
    n_refused += atl_model_open(the_folder, &model) != ATL_OK;
    atl_model_destroy(&model);
    json[i] = kept;
  }
  TAP_OK(n_refused > n / 2, "a damaged model.json does not crash, and most damage is noticed");
}

static void test_weights(const atl_safetensors_t *file) {
  atl_arena_t arena = {0};
  const float *view = NULL, *copy = NULL, *bad = NULL;
  const atl_binding_t good[] = {{"plain", 2, {2, 2}, &view}, {"half", 1, {3}, &copy}};
  TAP_STATUS(ATL_OK, atl_weights_bind(file, &arena, good, 2), "a table binds");
  TAP_OK(view == atl_safetensors_find(file, "plain")->data, "fp32 as a view");
  TAP_CLOSE(copy, ((float[]){1, 2, 3}), 3, 0, "bf16 converted");
  const atl_binding_t missing[] = {{"absent", 1, {3}, &bad}}, misshapen[] = {{"plain", 2, {4, 1}, &bad}};
  TAP_STATUS(ATL_INPUT, atl_weights_bind(file, &arena, missing, 1), "a missing tensor is refused");
  TAP_OK(strstr(atl_status_message(), "absent") != NULL, "by name");
  TAP_STATUS(ATL_INPUT, atl_weights_bind(file, &arena, misshapen, 1), "a misshapen tensor is refused");
  TAP_OK(strstr(atl_status_message(), "[4, 1]") != NULL && strstr(atl_status_message(), "[2, 2]") != NULL,
         "with both shapes");
  const atl_binding_t nan[] = {{"nan", 1, {2}, &bad}}, integer[] = {{"integer", 1, {1}, &bad}};
  TAP_STATUS(ATL_INPUT, atl_weights_bind(file, &arena, nan, 1), "NaN is refused");
  TAP_OK(strstr(atl_status_message(), "item 1") != NULL, "with its place");
  TAP_STATUS(ATL_INPUT, atl_weights_bind(file, &arena, integer, 1), "integers are refused as weights");
  atl_arena_clear(&arena);
}

static void test_names(const atl_safetensors_t *file) {
  atl_transformer_config_t plain = {0}, reversible = {.reversible = true};
  const atl_tensor_t *found = atl_names_find(file, &plain, 0, ATL_SUBLAYER_ATTENTION, "to_qkv.weight");
  TAP_OK(found != NULL && strcmp(found->name, "transformer.layers.layers.0.0.fn.fn.fn.to_qkv.weight") == 0,
         "three wrappers");
  found = atl_names_find(file, &plain, 0, ATL_SUBLAYER_ATTENTION, "scale");
  TAP_OK(found != NULL && strcmp(found->name, "transformer.layers.layers.0.0.scale") == 0, "no wrapper");
  found = atl_names_find(file, &reversible, 1, ATL_SUBLAYER_FEED_FORWARD, "net.0.weight");
  TAP_OK(found != NULL && strcmp(found->name, "transformer.layers.blocks.1.g.net.fn.fn.fn.fn.net.0.weight") == 0,
         "reversible, four wrappers");
  TAP_OK(atl_names_find(file, &plain, 1, ATL_SUBLAYER_ATTENTION, "scale") == NULL, "another layer has none");
  TAP_OK(atl_names_find_axial(file, 0) != NULL && atl_names_find_axial(file, 1) != NULL,
         "both spellings of axial tables");
}

int main(void) {
  if (mkdtemp(the_folder) == NULL) return 1;
  static const float numbers[4] = {1, NAN, 3, 4}, finite[4] = {1, 2, 3, 4};
  static const uint16_t halves[3] = {0x3f80, 0x4000, 0x4040};
  static const int32_t integers[1] = {1};
  const atl_tensor_t tensors[] = {
      {"plain", ATL_F32, 2, {2, 2}, finite},
      {"half", ATL_BF16, 1, {3}, halves},
      {"nan", ATL_F32, 1, {2}, numbers},
      {"integer", ATL_I32, 1, {1}, integers},
      {"transformer.layers.layers.0.0.fn.fn.fn.to_qkv.weight", ATL_F32, 1, {1}, finite},
      {"transformer.layers.layers.0.0.scale", ATL_F32, 1, {1}, finite},
      {"transformer.layers.blocks.1.g.net.fn.fn.fn.fn.net.0.weight", ATL_F32, 1, {1}, finite},
      {"image_pos_emb.weights_0", ATL_F32, 1, {1}, finite},
      {"image_pos_emb.weights.1", ATL_F32, 1, {1}, finite}};
  atl_safetensors_t *file;
  TAP_STATUS(ATL_OK, atl_safetensors_save(path_of("t.safetensors"), tensors, 9, NULL, 0), "a tensor file is made");
  TAP_STATUS(ATL_OK, atl_safetensors_open(path_of("t.safetensors"), &file), "and opened");
  test_weights(file);
  test_names(file);
  atl_safetensors_destroy(&file);
  test_open();
  test_damage();
  TAP_STATUS(ATL_OK, atl_file_remove_directory(the_folder), "the test cleans up");
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is given back");
  return tap_done();
}
