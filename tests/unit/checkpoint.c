// TEST np=1
/* Checkpoints: supported ones open completely, and each unsupported kind and each error has its own message. */
#include "model/checkpoint/import/checkpoint.h"

#include <stdlib.h>

#include "common/file.h"
#include "common/memory.h"
#include "model/checkpoint/convert.h"
#include "tests/support/tap.h"

static char work_folder[] = "/tmp/atelier-checkpoint-XXXXXX";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", work_folder, name);
  return path;
}

static bool has_words(const char *words) {
  bool has = strstr(atl_status_message(), words) != NULL;
  if (!has) printf("# \"%s\" is not in: %s\n", words, atl_status_message());
  return has;
}

/* ---- files made by tests/golden/convert/make.py ---- */

static void test_refusals(void) {
  static const struct {
    const char *name;
    atl_status_t want;
    const char *words[3];
  } cases[] = {
      {"vqgan-inside", ATL_UNSUPPORTED, {"VQGanVAE", "DiscreteVAE"}},
      {"openai-inside", ATL_UNSUPPORTED, {"OpenAIDiscreteVAE"}},
      {"openai", ATL_UNSUPPORTED, {"dall_e.encoder.Encoder", "expected a DALLE-pytorch"}},
      {"vqgan", ATL_UNSUPPORTED, {"VQGAN of taming-transformers"}},
      {"deepspeed", ATL_UNSUPPORTED, {"DeepSpeed", "zero_to_fp32.py"}},
      {"sparse", ATL_UNSUPPORTED, {"sparse", "not saved in the checkpoint"}},
      {"conv-old", ATL_UNSUPPORTED, {"conv_like", "1.4.2", "1.5.0"}},
      {"rotary-old", ATL_UNSUPPORTED, {"[1, 1, 6, 6]", "1.1.2"}},
      {"option", ATL_UNSUPPORTED, {"mixture_of_experts"}},
      {"extra", ATL_UNSUPPORTED, {"norm_out.weight", "F32 [4]"}},
      {"nan", ATL_INPUT, {"layers.1.0.fn.fn.fn.to_qkv.weight", "item 7"}},
      {"missing", ATL_INPUT, {"layers.1.0.to_qkv.weight", "[18, 4]", "missing"}},
      {"misshapen", ATL_INPUT, {"expected F32 [18, 4]", "found F32 [4, 18]"}},
      {"integer", ATL_INPUT, {"to_logits.0.bias", "I64"}},
      {"none", ATL_INPUT, {"none.pt"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    atl_checkpoint_t *checkpoint;
    char path[256], name[64];
    snprintf(path, sizeof path, "tests/golden/convert/%s.pt", cases[i].name);
    snprintf(name, sizeof name, "%s is refused", cases[i].name);
    TAP_STATUS(cases[i].want, atl_checkpoint_open(path, &checkpoint), name);
    bool says_all = true;
    for (int k = 0; k < 3 && cases[i].words[k] != NULL; k++) says_all = has_words(cases[i].words[k]) && says_all;
    TAP_OK(says_all && checkpoint == NULL && has_words(path),
           "the message names the reason and the path, and nothing is returned");
  }
}

static void test_good(void) {
  atl_checkpoint_t *checkpoint;
  if (!TAP_STATUS(ATL_OK, atl_checkpoint_open("tests/golden/convert/good.pt", &checkpoint), "a DALLE checkpoint opens"))
    return;
  const atl_transformer_config_t *config = &checkpoint->transformer_config;
  TAP_OK(config->width == 4 && config->n_layers == 2 && config->image_side == 2 && !config->shift_tokens &&
             !config->rotary,
         "a DALLE checkpoint has its configuration");
  TAP_OK(checkpoint->parts[ATL_PART_TRANSFORMER].n_tensors == 35 && checkpoint->parts[ATL_PART_VAE].n_tensors == 23 &&
             checkpoint->parts[ATL_PART_CLIP].n_tensors == 0,
         "a DALLE checkpoint has a transformer and a dVAE");
  TAP_OK(strcmp(checkpoint->version, "1.6.6") == 0 && strcmp(checkpoint->vae_class, "DiscreteVAE") == 0,
         "a DALLE checkpoint has its version and VAE class");
  TAP_OK(strcmp(checkpoint->parts[ATL_PART_VAE].tensors[0].name, "codebook.weight") == 0,
         "the dVAE's tensor names have no \"vae.\"");
  atl_checkpoint_destroy(&checkpoint);
}

static void test_old(void) {
  atl_checkpoint_t *checkpoint;
  if (!TAP_STATUS(ATL_OK, atl_checkpoint_open("tests/golden/convert/old.pt", &checkpoint),
                  "a checkpoint without version opens"))
    return;
  TAP_OK(checkpoint->transformer_config.shift_tokens, "three wrappers before 1.4.0 mean token shift");
  TAP_OK(!checkpoint->transformer_config.rotary, "no rotary table means learned positions");
  TAP_OK(checkpoint->version == NULL && checkpoint->vae_class == NULL,
         "version and VAE class are NULL when the checkpoint has none");
  atl_checkpoint_destroy(&checkpoint);
  if (!TAP_STATUS(ATL_OK, atl_checkpoint_open("tests/golden/convert/vae.pt", &checkpoint), "a dVAE checkpoint opens"))
    return;
  TAP_OK(checkpoint->vae_config.n_channels == 4 && checkpoint->vae_config.std[3] > 0.99F &&
             checkpoint->parts[ATL_PART_TRANSFORMER].n_tensors == 0,
         "a dVAE of four channels does not normalise alpha");
  atl_checkpoint_destroy(&checkpoint);
}

/* ---- CLIP's configuration from its shapes ---- */

/* Writes a safetensors file of zeros with all tensors that `config` expects, and a counter as in CLIP's files. */
static atl_status_t save_clip(const atl_clip_config_t *config, const char *path) {
  static const float zeros[1 << 16];
  static const int64_t counter = 3;
  atl_table_list_t list = {0};
  atl_tensor_t *tensors = NULL;
  ATL_TRY(atl_table_list(atl_part_table(ATL_PART_CLIP), config, &list));
  atl_status_t status = ATL_NEW(list.n + 1, &tensors);
  for (size_t i = 0; i < list.n && status == ATL_OK; i++) {
    tensors[i] =
        (atl_tensor_t){.name = list.items[i].name, .dtype = ATL_F32, .n_dims = list.items[i].n_dims, .data = zeros};
    memcpy(tensors[i].shape, list.items[i].shape, sizeof list.items[i].shape);
    size_t n_items;
    ATL_ASSERT(atl_tensor_n_items(&tensors[i], &n_items) == ATL_OK && n_items <= 1 << 16);
  }
  if (status == ATL_OK) {
    tensors[list.n] = (atl_tensor_t){.name = "visual.bn1.num_batches_tracked", .dtype = ATL_I64, .data = &counter};
    status = atl_safetensors_save(path, tensors, list.n + 1, NULL, 0);
  }
  ATL_DESTROY(&tensors);
  atl_table_clear_list(&list);
  return status;
}

static void test_clip(const atl_clip_config_t *config, size_t n_tensors, const char *name) {
  atl_checkpoint_t *checkpoint;
  TAP_STATUS(ATL_OK, save_clip(config, path_of("clip.safetensors")), "a CLIP of zeros is written");
  if (!TAP_STATUS(ATL_OK, atl_checkpoint_open(path_of("clip.safetensors"), &checkpoint), name)) return;
  TAP_OK(memcmp(&checkpoint->clip_config, config, sizeof *config) == 0, "CLIP's configuration follows from its shapes");
  TAP_OK(checkpoint->parts[ATL_PART_CLIP].n_tensors == n_tensors,
         "all of CLIP's tensors except the counter are selected");
  atl_checkpoint_destroy(&checkpoint);
}

static void test_clips(void) {
  static const atl_clip_config_t vit = {.embedding_width = 6,
                                        .image_size = 6,
                                        .vision_width = 16,
                                        .vision_layers = 3,
                                        .patch_size = 2,
                                        .vision_heads = 1,
                                        .context_length = 5,
                                        .vocabulary = 9,
                                        .text_width = 64,
                                        .text_heads = 1,
                                        .text_layers = 2};
  static const atl_clip_config_t resnet = {.is_resnet = true,
                                           .embedding_width = 6,
                                           .image_size = 64,
                                           .vision_width = 4,
                                           .vision_blocks = {1, 2, 1, 1},
                                           .vision_heads = 2,
                                           .context_length = 5,
                                           .vocabulary = 9,
                                           .text_width = 8,
                                           .text_heads = 1,
                                           .text_layers = 1};
  test_clip(&vit, 8 + 3 * 12 + 2 * 12 + 6, "a ViT CLIP opens");
  test_clip(&resnet, 3 * 5 + 5 * 15 + 4 * 5 + 9 + 12 + 6, "a ResNet CLIP opens");
  atl_clip_config_t config;
  const atl_tensor_t odd[] = {{"visual.proj", ATL_F32, 2, {16, 6}, NULL},
                              {"visual.conv1.weight", ATL_F32, 4, {16, 3, 2, 2}, NULL},
                              {"visual.positional_embedding", ATL_F32, 2, {9, 16}, NULL}};
  TAP_STATUS(ATL_INPUT, atl_checkpoint_clip_config("c", odd, 3, &config),
             "a number of positions that is not a square plus one is refused");
  TAP_OK(has_words("square number of positions plus one, found 9"), "the message counts the positions");
  TAP_STATUS(ATL_INPUT, atl_checkpoint_clip_config("c", odd, 2, &config), "a CLIP without positions is refused");
  TAP_OK(has_words("visual.positional_embedding"), "the message names the missing positions");
}

/* ---- failures ---- */

static void test_no_memory(void) {
  atl_status_t status = ATL_MEMORY;
  int64_t n = 0;
  atl_checkpoint_t *checkpoint = NULL;
  while (status == ATL_MEMORY && n < 1000) {
    atl_memory_fail_after(++n);
    status = atl_checkpoint_open("tests/golden/convert/good.pt", &checkpoint);
  }
  atl_memory_fail_after(0);
  TAP_OK(status == ATL_OK && n > 4, "a failure of any allocation is reported by open");
  atl_checkpoint_destroy(&checkpoint);
}

/* Writes without fsync, because the test writes thousands of files. */
static bool overwrite(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool is_written = fwrite(bytes, 1, n, file) == n;
  return fclose(file) == 0 && is_written;
}

/* Changes every seventh byte of a file in turn. Opening may succeed or fail, but must not crash; sanitizers check it.
 */
static void test_damage(void) {
  char *bytes;
  size_t n, n_opened = 0;
  if (atl_file_read("tests/golden/convert/vae.pt", 1 << 20, &bytes, &n) != ATL_OK) return;
  for (size_t i = 0; i < n; i += 7) {
    atl_checkpoint_t *checkpoint;
    char kept = bytes[i];
    bytes[i] = (char)(kept ^ 0x55);
    if (!overwrite(path_of("damaged.pt"), bytes, n)) break;
    n_opened += atl_checkpoint_open(path_of("damaged.pt"), &checkpoint) == ATL_OK;
    atl_checkpoint_destroy(&checkpoint);
    bytes[i] = kept;
  }
  ATL_DESTROY(&bytes);
  TAP_OK(n_opened < n / 7, "a damaged byte does not crash, and some damage is detected");
}

/* ---- writing ---- */

static atl_status_t convert(const char *source, const char *out, atl_dtype_t storage, bool force) {
  const atl_convert_t settings = {
      .sources = {source}, .n_sources = 1, .out = out, .storage = storage, .force = force, .name = "tiny"};
  return atl_convert_run(&settings);
}

static void test_convert(void) {
  char out[256], again[256];
  snprintf(out, sizeof out, "%s/model", work_folder);
  snprintf(again, sizeof again, "%s/again", work_folder);
  TAP_STATUS(ATL_OK, convert("tests/golden/convert/good.pt", out, ATL_N_DTYPES, false), "a checkpoint is converted");
  TAP_STATUS(ATL_INPUT, convert("tests/golden/convert/good.pt", out, ATL_N_DTYPES, false),
             "an existing model is not overwritten");
  TAP_OK(has_words("--force"), "the message about an existing model names --force");
  TAP_STATUS(ATL_OK, convert("tests/golden/convert/old.pt", out, ATL_F16, true), "--force replaces an existing model");
  TAP_STATUS(ATL_INPUT, convert("tests/golden/convert/nan.pt", again, ATL_N_DTYPES, false), "bad weights are refused");
  TAP_OK(!atl_file_exists(again), "bad weights leave no directory");
  TAP_STATUS(ATL_INPUT, convert("tests/golden/convert/good.pt", work_folder, ATL_N_DTYPES, true),
             "--force does not replace a folder that is not a model");
  TAP_STATUS(ATL_OK, convert(out, again, ATL_BF16, false), "a model directory is converted");
  atl_model_t *model;
  TAP_STATUS(ATL_OK, atl_model_open(again, &model), "the converted model opens");
  TAP_OK(atl_safetensors_find(model->vae, "codebook.weight")->dtype == ATL_BF16, "matrices have the requested storage");
  TAP_OK(atl_safetensors_find(model->transformer, "to_logits.0.bias")->dtype == ATL_F32, "vectors are stored as fp32");
  atl_model_destroy(&model);
  TAP_STATUS(ATL_OK, atl_file_remove_directory(out), "a model directory holds only files");
  TAP_STATUS(ATL_OK, atl_file_remove_directory(again), "the other model directory holds only files");
}

static void test_sources(void) {
  char out[256];
  snprintf(out, sizeof out, "%s/model", work_folder);
  atl_convert_t settings = {.sources = {"tests/golden/convert/good.pt", "tests/golden/convert/vae.pt"},
                            .n_sources = 2,
                            .out = out,
                            .storage = ATL_N_DTYPES};
  TAP_STATUS(ATL_USAGE, atl_convert_run(&settings), "two files with a dVAE are ambiguous");
  TAP_OK(has_words("--vae FILE"), "the message about two dVAEs suggests --vae");
  settings.chosen[ATL_PART_VAE] = "tests/golden/convert/vae.pt";
  TAP_STATUS(ATL_OK, atl_convert_run(&settings), "two files with a dVAE convert when one is chosen");
  TAP_STATUS(ATL_OK, atl_file_remove_directory(out), "the model is removed");
  settings.chosen[ATL_PART_CLIP] = "tests/golden/convert/vae.pt";
  TAP_STATUS(ATL_INPUT, atl_convert_run(&settings), "a file without the part it is chosen for is refused");
  const atl_convert_t nothing = {.out = out, .storage = ATL_N_DTYPES}, nowhere = {.storage = ATL_N_DTYPES};
  TAP_STATUS(ATL_USAGE, atl_convert_run(&nothing), "a conversion without sources is refused");
  TAP_STATUS(ATL_USAGE, atl_convert_run(&nowhere), "a conversion without an output directory is refused");
  atl_convert_t unwritable = settings;
  unwritable.chosen[ATL_PART_CLIP] = NULL;
  unwritable.out = "/proc/model";
  TAP_STATUS(ATL_IO, atl_convert_run(&unwritable), "an unwritable output directory is reported");
}

int main(void) {
  if (mkdtemp(work_folder) == NULL) return 1;
  test_refusals();
  test_good();
  test_old();
  test_clips();
  test_no_memory();
  test_damage();
  test_convert();
  test_sources();
  TAP_STATUS(ATL_OK, atl_file_remove_directory(work_folder), "the test leaves no other files");
  TAP_OK(atl_memory_in_use_bytes() == 0, "no memory is leaked");
  return tap_done();
}
