// TEST np=1
/* Damaged zip archives and legacy files. The zip seeds have their checksums removed, as these would stop nearly every
 * damaged file. */
#include "common/torch/torchfile.h"

#include "tests/support/mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  atl_torchfile_t *file;
  atl_tensor_list_t list;
  if (atl_torchfile_open_bytes(data, n, "fuzz", &file) != ATL_OK) return 0;
  mutate_n_read++;
  if (atl_torchfile_list_tensors(file, atl_torchfile_root(file), &list) == ATL_OK)
    for (size_t i = 0; i < list.n_tensors; i++) {
      size_t n_items;
      float first, last;
      if (atl_tensor_n_items(&list.tensors[i], &n_items) != ATL_OK || n_items == 0) continue;
      atl_tensor_get_f32(&list.tensors[i], 0, 1, &first);
      atl_tensor_get_f32(&list.tensors[i], n_items - 1, 1, &last);
    }
  atl_torchfile_destroy(&file);
  return 0;
}

/* The checksum is at byte 16 of an entry of the central directory. */
static void remove_checksums(mutate_seed_t *seed) {
  for (size_t i = 0; i + 20 <= seed->n; i++)
    if (memcmp(seed->bytes + i, "PK\1\2", 4) == 0) memset(seed->bytes + i + 16, 0, 4);
}

static void add_seeds(mutate_corpus_t *corpus) {
  static const char *const names[] = {"checkpoint-2", "checkpoint-4", "plain-2",   "strided",       "dtypes",
                                      "objects",      "attributed",   "module",    "script",        "deflated",
                                      "legacy",       "legacy-4",     "hand-v3",   "legacy-module", "legacy-strided",
                                      "bomb",         "expanded",     "run-system"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[128];
    snprintf(path, sizeof path, "tests/golden/torchfile/%s.pt", names[i]);
    mutate_add_file(corpus, path);
    if (strcmp(names[i], "deflated") != 0) remove_checksums(&corpus->seeds[corpus->n_seeds - 1]);
  }
}

/* Per byte of file: values take 256 bytes, stack, storages and views another 256, deflated members 1032, and expanded
 * tensors 4 besides 16 MiB. */
MUTATE_MAIN(add_seeds, 18 << 20, 256 + 256 + 4 + 1032)
