// TEST np=1
/* A model directory opens only if its parts fit each other. Weights bind by name and shape. Names are found with any
 * number of wrappers. */
#include "model/checkpoint/model.h"

#include <stdlib.h>

#include "common/file.h"
#include "model/nn/weights.h"
#include "model/transformer/names.h"
#include "tests/support/tap.h"

static char work_folder[] = "/tmp/atelier-model-XXXXXX";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", work_folder, name);
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
  atl_status_t status = atl_model_open(work_folder, &model);
  TAP_STATUS(want, status, name);
  if (status == ATL_OK) {
    TAP_OK(strcmp(model->name, words) == 0 && strlen(model->digest) == 64, "an open model has its name and digest");
    TAP_OK(model->has_transformer && model->has_vae && !model->has_clip && model->tokenizer_path == NULL,
           "an open model has its parts");
  } else if (!TAP_OK(strstr(atl_status_message(), words) != NULL,
                     "the message of a refused model has the expected words")) {
    printf("# %s\n", atl_status_message());
  }
  atl_model_destroy(&model);
}

static void test_open(void) {
  atl_model_t *model;
  TAP_STATUS(ATL_INPUT, atl_model_open("/nonexistent", &model), "a missing directory is refused");
  TAP_STATUS(ATL_INPUT, atl_model_open(work_folder, &model), "a directory without model.json is refused");
  open_as(MODEL("4", "96", "t.safetensors"), ATL_OK, "tiny", "a model that fits opens");
  open_as(MODEL("4", "95", "t.safetensors"), ATL_INPUT, "95 image tokens",
          "a number of image tokens other than the dVAE's is refused");
  open_as(MODEL("8", "96", "t.safetensors"), ATL_INPUT, "8x8", "a side other than the dVAE's is refused");
  open_as(MODEL("4", "96", "../t.safetensors"), ATL_INPUT, "plain name", "a file outside the directory is refused");
  open_as(MODEL("4", "96", "none.safetensors"), ATL_INPUT, "none.safetensors", "a missing file is refused");
  open_as("{\"format\":2}", ATL_INPUT, "format", "a later format is refused");
  open_as("{\"format\":1,\"name\":\"x\"}", ATL_INPUT, "found none", "a model without parts is refused");
  open_as("{\"format\":1,\"name\":\"x\",\"vae\":3}", ATL_INPUT, "\"vae\"", "a part that is a number is refused");
}

/* Writes without fsync, because the test writes thousands of files. */
static bool overwrite(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool is_written = fwrite(bytes, 1, n, file) == n;
  return fclose(file) == 0 && is_written;
}

/* Replaces each byte of model.json in turn. */
static void test_damage(void) {
  char json[] = MODEL("4", "96", "t.safetensors");
  size_t n = strlen(json), n_refused = 0;
  for (size_t i = 0; i < n; i++) {
    atl_model_t *model;
    char kept = json[i];
    json[i] = "9\"{x"[i % 4];
    if (!overwrite(path_of("model.json"), json, n)) return;
    n_refused += atl_model_open(work_folder, &model) != ATL_OK;
    atl_model_destroy(&model);
    json[i] = kept;
  }
  TAP_OK(n_refused > n / 2, "a damaged model.json does not crash, and most damage is detected");
}

/* A weights struct of two tensors. */
typedef struct {
  atl_parameter_t first, second;
} two_t;

static void describe_two(const void *config, int32_t i_item, atl_table_scope_t *scope) {
  (void)config, (void)i_item;
  atl_table_set_letter(scope, "D", 2);
}

static atl_status_t bind_rows(const atl_safetensors_t *file, const atl_table_row_t *rows, size_t n_rows, two_t *tensors,
                              atl_arena_t *arena) {
  const atl_table_part_t part = {.rows = rows, .n_rows = n_rows};
  const atl_table_t table = {.network = "test", .parts = &part, .n_parts = 1, .describe = describe_two};
  atl_weights_t weights;
  *tensors = (two_t){0};
  atl_status_t status = atl_weights_open(&table, NULL, file, tensors, &weights);
  if (status == ATL_OK) status = ATL_WEIGHTS_BIND(&weights, arena, *tensors);
  atl_weights_close(&weights);
  return status;
}

static void refuse_row(const atl_safetensors_t *file, const char *name, const char *shape, const char *words,
                       const char *check) {
  const atl_table_row_t row = {name, shape, offsetof(two_t, second), .kind = ATL_TENSOR_WEIGHT};
  atl_arena_t arena = {0};
  two_t tensors;
  TAP_STATUS(ATL_INPUT, bind_rows(file, &row, 1, &tensors, &arena), check);
  TAP_OK(strstr(atl_status_message(), words) != NULL, "the message of a refused tensor has its name and the error");
  atl_arena_clear(&arena);
}

static void test_weights(const atl_safetensors_t *file) {
  static const atl_table_row_t good[] = {{"plain", "D,D", offsetof(two_t, first), .kind = ATL_TENSOR_WEIGHT},
                                         {"half", "D+1", offsetof(two_t, second), .kind = ATL_TENSOR_BIAS}};
  atl_arena_t arena = {0};
  two_t tensors;
  TAP_STATUS(ATL_OK, bind_rows(file, good, 2, &tensors, &arena), "the tensors of a table are bound");
  TAP_OK(tensors.first.value == atl_safetensors_find(file, "plain")->data, "an fp32 tensor is bound as a view");
  TAP_CLOSE(tensors.second.value, ((float[]){1, 2, 3}), 3, 0, "a bf16 tensor is bound as a converted copy");
  atl_arena_clear(&arena);
  refuse_row(file, "absent", "3", "tensor absent is missing", "a missing tensor is refused");
  refuse_row(file, "plain", "2*D,1", "plain: expected F32 [4, 1], found F32 [2, 2]", "a misshapen tensor is refused");
  refuse_row(file, "nan", "D", "nan: item 1", "NaN in weights is refused");
  refuse_row(file, "integer", "1", "integer", "integers are refused as weights");
}

static bool finds(const atl_safetensors_t *file, const char *name, const char *spelled) {
  const atl_tensor_t *found = atl_names_find(file, name);
  return found != NULL && strcmp(found->name, spelled) == 0;
}

static void test_names(const atl_safetensors_t *file) {
  TAP_OK(finds(file, "transformer.layers.layers.0.0.to_qkv.weight",
               "transformer.layers.layers.0.0.fn.fn.fn.to_qkv.weight"),
         "a name with three wrappers is found");
  TAP_OK(finds(file, "transformer.layers.layers.0.0.scale", "transformer.layers.layers.0.0.scale"),
         "a name without wrappers is found");
  TAP_OK(finds(file, "transformer.layers.blocks.1.g.net.net.0.weight",
               "transformer.layers.blocks.1.g.net.fn.fn.fn.fn.net.0.weight"),
         "a reversible layer's name with four wrappers is found");
  TAP_OK(atl_names_find(file, "transformer.layers.layers.1.0.scale") == NULL, "another layer's tensor is not found");
  TAP_OK(finds(file, "image_pos_emb.weights.0", "image_pos_emb.weights_0") &&
             finds(file, "image_pos_emb.weights.1", "image_pos_emb.weights.1"),
         "axial tables are found in both spellings");
  TAP_OK(atl_names_find(file, "transformer.layers.layers.") == NULL &&
             atl_names_find(file, "transformer.layers.blocks.1") == NULL && atl_names_find(file, "") == NULL,
         "names that end early are not found");
}

int main(void) {
  if (mkdtemp(work_folder) == NULL) return 1;
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
  TAP_STATUS(ATL_OK, atl_safetensors_save(path_of("t.safetensors"), tensors, 9, NULL, 0), "a tensor file is written");
  TAP_STATUS(ATL_OK, atl_safetensors_open(path_of("t.safetensors"), &file), "the tensor file is opened");
  test_weights(file);
  test_names(file);
  atl_safetensors_destroy(&file);
  test_open();
  test_damage();
  TAP_STATUS(ATL_OK, atl_file_remove_directory(work_folder), "the test cleans up");
  TAP_OK(atl_memory_in_use_bytes() == 0, "no memory is leaked");
  return tap_done();
}
