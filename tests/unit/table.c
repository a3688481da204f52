// TEST np=1
/* Tensor tables of all networks, over the configurations that change them: names and parameters are distinct, every
 * tensor binds to its parameter, and a missing or misshapen tensor is refused by name. */
#include "model/nn/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "model/checkpoint/config.h"
#include "model/clip/tensors.h"
#include "model/nn/weights.h"
#include "model/transformer/tensors.h"
#include "model/vae/dvae_tensors.h"
#include "tests/support/tap.h"

typedef struct {
  const atl_table_t *table;
  const void *config;
  void *tensors; /* a weights struct, all zero */
  size_t tensors_bytes;
} network_t;

static char work_folder[] = "/tmp/atelier-table-XXXXXX";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", work_folder, name);
  return path;
}

/* Writes all tensors. With is_damaged tensors 0, 3, 6, ... are missing and 1, 4, 7, ... have one dimension too many. */
static atl_status_t save(const atl_table_list_t *list, bool is_damaged, const char *path) {
  static const float zeros[1 << 14];
  atl_tensor_t *tensors;
  size_t n = 0;
  ATL_TRY(ATL_NEW(list->n, &tensors));
  for (size_t i = 0; i < list->n; i++) {
    const atl_table_entry_t *entry = &list->items[i];
    if (is_damaged && i % 3 == 0) continue;
    atl_tensor_t *tensor = &tensors[n++];
    *tensor = (atl_tensor_t){.name = entry->name, .dtype = ATL_F32, .n_dims = entry->n_dims, .data = zeros};
    for (int k = 0; k < entry->n_dims; k++) tensor->shape[k] = entry->shape[k];
    if (is_damaged && i % 3 == 1) tensor->shape[tensor->n_dims++] = 1;
    ATL_ASSERT(atl_table_n_items(entry) <= sizeof zeros / sizeof *zeros);
  }
  atl_status_t status = atl_safetensors_save(path, tensors, n, NULL, 0);
  ATL_DESTROY(&tensors);
  return status;
}

static bool are_distinct(const atl_table_list_t *list, void *tensors) {
  for (size_t i = 0; i < list->n; i++)
    for (size_t k = 0; k < i; k++)
      if (strcmp(list->items[i].name, list->items[k].name) == 0 ||
          atl_table_place(&list->items[i], tensors) == atl_table_place(&list->items[k], tensors)) {
        printf("# %s and %s\n", list->items[i].name, list->items[k].name);
        return false;
      }
  return true;
}

static atl_status_t bind_entry(const atl_weights_t *weights, size_t i, atl_arena_t *arena) {
  const atl_parameter_t *parameter = atl_table_place(&weights->list.items[i], weights->tensors);
  return ATL_WEIGHTS_BIND(weights, arena, *parameter);
}

/* Binds each tensor alone: good ones bind to the file's data, the others are refused by name. */
static bool bind_all(const atl_weights_t *weights, bool is_damaged) {
  atl_arena_t arena = {0};
  bool is_right = true;
  for (size_t i = 0; i < weights->list.n && is_right; i++) {
    const atl_table_entry_t *entry = &weights->list.items[i];
    atl_status_t status = bind_entry(weights, i, &arena);
    const atl_tensor_t *tensor = atl_safetensors_find(weights->file, entry->name);
    if (is_damaged && i % 3 < 2)
      is_right = status == ATL_INPUT && strstr(atl_status_message(), entry->name) != NULL;
    else
      is_right = status == ATL_OK && atl_table_place(entry, weights->tensors)->value == tensor->data;
    if (!is_right) printf("# %s: %s\n", entry->name, status == ATL_OK ? "bound" : atl_status_message());
  }
  atl_arena_clear(&arena);
  return is_right;
}

static void test_file(const network_t *network, bool is_damaged, const char *check) {
  atl_table_list_t list = {0};
  atl_safetensors_t *file = NULL;
  atl_weights_t weights = {0};
  memset(network->tensors, 0, network->tensors_bytes);
  atl_status_t status = atl_table_list(network->table, network->config, &list);
  if (status == ATL_OK) status = save(&list, is_damaged, path_of("t.safetensors"));
  if (status == ATL_OK) status = atl_safetensors_open(path_of("t.safetensors"), &file);
  if (status == ATL_OK) status = atl_weights_open(network->table, network->config, file, network->tensors, &weights);
  if (!TAP_OK(status == ATL_OK && bind_all(&weights, is_damaged), check)) printf("# %s\n", network->table->network);
  if (status == ATL_OK && !is_damaged)
    TAP_OK(are_distinct(&weights.list, network->tensors), "names and parameters of a network's tensors are distinct");
  atl_weights_close(&weights);
  atl_safetensors_destroy(&file);
  atl_table_clear_list(&list);
}

static void test_network(const network_t *network) {
  test_file(network, false, "every tensor of a table binds to its parameter");
  test_file(network, true, "a missing or misshapen tensor is refused by name");
}

static void test_transformers(void) {
  static atl_transformer_tensors_t tensors;
  for (int flags = 0; flags < 32; flags++) {
    atl_transformer_config_t config = {.width = 8,
                                       .n_layers = 4,
                                       .n_heads = 2,
                                       .head_size = 6,
                                       .text_length = 3,
                                       .n_text_tokens = 5,
                                       .image_side = 2,
                                       .n_image_tokens = 7,
                                       .rotary = (flags & 1) != 0,
                                       .sandwich_norm = (flags & 2) != 0,
                                       .share_embeddings = (flags & 4) != 0,
                                       .reversible = (flags & 8) != 0};
    for (int32_t i = 0; i < 4; i++) {
      config.attention_owner[i] = (flags & 16) != 0 ? i % 2 : i;
      config.feed_forward_owner[i] = (flags & 16) != 0 ? 0 : i;
    }
    test_network(&(network_t){&atl_transformer_table, &config, &tensors, sizeof tensors});
  }
}

static void test_dvaes(void) {
  static atl_dvae_tensors_t tensors;
  for (int32_t i = 0; i < 4; i++) {
    const atl_vae_config_t config = {.image_size = 8,
                                     .n_layers = i % 2 == 0 ? 1 : 3,
                                     .n_res_blocks = i < 2 ? 0 : 2,
                                     .n_tokens = 5,
                                     .codebook_width = 6,
                                     .hidden_width = 4,
                                     .n_channels = 3};
    test_network(&(network_t){&atl_dvae_table, &config, &tensors, sizeof tensors});
  }
}

static void test_clips(void) {
  static atl_clip_tensors_t tensors;
  atl_clip_config_t config = {.embedding_width = 6,
                              .image_size = 32,
                              .vision_width = 4,
                              .vision_layers = 3,
                              .vision_heads = 1,
                              .patch_size = 8,
                              .context_length = 5,
                              .vocabulary = 9,
                              .text_width = 8,
                              .text_heads = 1,
                              .text_layers = 2};
  test_network(&(network_t){&atl_clip_table, &config, &tensors, sizeof tensors});
  config.is_resnet = true;
  const int32_t n_blocks[4] = {1, 2, 1, 3};
  memcpy(config.vision_blocks, n_blocks, sizeof n_blocks);
  config.vision_width = 2;
  test_network(&(network_t){&atl_clip_table, &config, &tensors, sizeof tensors});
}

/* The initialisers and weight decay that training reads from the table. */
static void test_initialisers(void) {
  atl_transformer_config_t config = {.width = 16, .n_layers = 25, .n_heads = 1, .head_size = 9, .image_side = 1};
  for (int32_t i = 0; i < 25; i++) config.attention_owner[i] = config.feed_forward_owner[i] = i;
  atl_table_list_t list = {0};
  float smallest_scale = 1;
  bool is_right = atl_table_list(&atl_transformer_table, &config, &list) == ATL_OK;
  for (size_t i = 0; i < list.n; i++) {
    const atl_table_entry_t *entry = &list.items[i];
    if (entry->kind == ATL_TENSOR_SCALE && entry->spread < smallest_scale) smallest_scale = entry->spread;
    if (strstr(entry->name, "to_out.0") != NULL) is_right = is_right && entry->spread == 1.0F / 3;
    is_right = is_right && entry->decays == (entry->kind == ATL_TENSOR_WEIGHT);
  }
  TAP_OK(is_right,
         "a linear layer's initial values are within 1/sqrt(fan-in), and weight decay applies to matrices only");
  TAP_OK(smallest_scale == 1e-6F, "LayerScale starts at 1e-6 from layer 25 on");
  atl_table_clear_list(&list);
}

int main(void) {
  if (mkdtemp(work_folder) == NULL) return 1;
  test_transformers();
  test_dvaes();
  test_clips();
  test_initialisers();
  TAP_STATUS(ATL_OK, atl_file_remove_directory(work_folder), "the test cleans up");
  TAP_OK(atl_memory_in_use_bytes() == 0, "no memory is leaked");
  return tap_done();
}
