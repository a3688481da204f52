// TEST np=1
/* Damaged checkpoints, read as `atelier convert` does: pickle, hyperparameters, names and shapes. */
#include "model/checkpoint/import/checkpoint.h"

#include <sys/mman.h>

#include "tests/support/mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  char path[64];
  int descriptor = memfd_create("fuzz", 0);
  if (descriptor < 0 || write(descriptor, data, n) != (ssize_t)n) abort();
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  atl_checkpoint_t *checkpoint;
  if (atl_checkpoint_open(path, &checkpoint) == ATL_OK) mutate_n_read++;
  atl_checkpoint_destroy(&checkpoint);
  close(descriptor);
  return 0;
}

static void add_seeds(mutate_corpus_t *corpus) {
  mutate_add_file(corpus, "tests/golden/checkpoints/dalle.pt");
  mutate_add_file(corpus, "tests/golden/checkpoints/vae.pt");
  mutate_add_file(corpus, "tests/golden/checkpoints/clip.pt");
  mutate_add_file(corpus, "tests/golden/torchfile/legacy.pt");
}

/* As tests/fuzz/torchfile.c, plus the table of expected tensors of up to ATL_MAX_LAYERS layers, 20 names each. */
MUTATE_MAIN(add_seeds, 24 << 20, 2048)
