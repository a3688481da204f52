// TEST np=1
/* Damaged pickles without an archive, interpreted with PyTorch's names; storages hold zeros. */
#include "common/torch/pickle.h"

#include "common/torch/globals.h"
#include "common/torch/list.h"
#include "common/torch/zip.h"
#include "tests/support/mutate.h"

enum { STORAGE_BYTES = 4096 };

static atl_status_t run(atl_torchtensors_t *tensors, const uint8_t *data, size_t n) {
  static const unsigned char zeros[STORAGE_BYTES];
  atl_pickle_hooks_t hooks = atl_torchglobals_hooks(tensors);
  atl_value_t *root;
  atl_tensor_t *list;
  size_t n_used, n_list;
  ATL_TRY(atl_pickle_load(tensors->pool, data, n, &hooks, &n_used, &root));
  for (size_t i = 0; i < tensors->n_storages; i++) {
    atl_torch_storage_t *storage = &tensors->storages[i];
    ATL_CHECK(atl_torch_storage_bytes(storage) <= STORAGE_BYTES, INPUT, "a storage larger than the zeros");
    storage->data = zeros;
    storage->data_bytes = STORAGE_BYTES;
  }
  ATL_TRY(atl_torchtensors_bind(tensors));
  ATL_TRY(atl_value_check(tensors->pool, root));
  return atl_torchlist_take(tensors->pool, root, &list, &n_list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  atl_value_pool_t pool = {.budget_bytes = (1 << 16) + 256 * n, .where = "fuzz"};
  atl_torchtensors_t tensors = {.pool = &pool, .copy_budget_bytes = 1 << 16};
  if (run(&tensors, data, n) == ATL_OK) mutate_n_read++;
  atl_torchtensors_clear(&tensors);
  atl_arena_clear(&pool.arena);
  return 0;
}

/* The data.pkl of a golden archive. */
static void add_pickle(mutate_corpus_t *corpus, const char *name) {
  char path[128], *bytes;
  size_t n, n_pickle;
  atl_arena_t arena = {0};
  atl_torchzip_t *zip;
  const unsigned char *pickle;
  snprintf(path, sizeof path, "tests/golden/torchfile/%s.pt", name);
  if (!TAP_STATUS(ATL_OK, atl_file_read(path, MUTATE_MAX_BYTES, &bytes, &n), path)) return;
  if (TAP_STATUS(ATL_OK, atl_torchzip_open((unsigned char *)bytes, n, path, &arena, &zip), "an archive")) {
    if (TAP_STATUS(ATL_OK, atl_torchzip_get(zip, "data.pkl", &pickle, &n_pickle), "with a pickle"))
      mutate_add_seed(corpus, pickle, n_pickle);
    atl_torchzip_destroy(&zip);
  }
  atl_arena_clear(&arena);
  ATL_DESTROY(&bytes);
}

static void add_seeds(mutate_corpus_t *corpus) {
  static const char *const names[] = {"checkpoint-2", "checkpoint-4", "plain-2", "plain-4", "strided",  "objects",
                                      "attributed",   "module",       "script",  "hand",    "hand-v3",  "state-dict",
                                      "bomb",         "expanded",     "cycle",   "copies",  "run-inner"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) add_pickle(corpus, names[i]);
}

/* Per byte: values take 256 bytes, stack and memo with their doubling 48, recorded storages and views 200. */
MUTATE_MAIN(add_seeds, 1 << 18, 512)
