/* Tensors are sorted by canonical name and looked up by binary search. An unexpected tensor may mean that the
 * architecture was not understood, so only tensors known to carry no information of their own are left out silently. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/import/checkpoint.h"
#include "model/transformer/names.h"

enum { PIECE_ITEMS = 4096 };

typedef struct {
  char name[ATL_NAME_BYTES]; /* canonical */
  const atl_tensor_t *tensor;
  bool is_taken;
} entry_t;

static int compare(const void *a, const void *b) {
  return strcmp(((const entry_t *)a)->name, ((const entry_t *)b)->name);
}

/* Masks that follow from the sizes, sizes saved as scalars, copies of shared weights (the owner's is selected), and
 * counters. */
static bool is_dispensable(const char *name) {
  static const char *const tails[] = {"logits_mask",           "static_mask",
                                      "causal_mask",           "input_resolution",
                                      "context_length",        "vocab_size",
                                      "num_batches_tracked",   "text_emb.linear.weight",
                                      "text_emb.linear.bias",  "image_emb.linear.weight",
                                      "image_emb.linear.bias", "to_qkv.weight",
                                      "to_out.0.weight",       "to_out.0.bias",
                                      "net.0.weight",          "net.0.bias",
                                      "net.3.weight",          "net.3.bias"};
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    size_t n_tail = strlen(tails[i]);
    if (n >= n_tail && strcmp(name + n - n_tail, tails[i]) == 0 && (n == n_tail || name[n - n_tail - 1] == '.'))
      return true;
  }
  return false;
}

static atl_status_t index_names(const char *path, const atl_tensor_t *tensors, size_t n, entry_t *entries) {
  for (size_t i = 0; i < n; i++) {
    ATL_CHECK(atl_names_canonical(tensors[i].name, entries[i].name), UNSUPPORTED,
              "%s: tensor %s does not belong to a model that atelier knows", path, tensors[i].name);
    entries[i].tensor = &tensors[i];
  }
  qsort(entries, n, sizeof *entries, compare);
  for (size_t i = 1; i < n; i++)
    ATL_CHECK(compare(&entries[i - 1], &entries[i]) != 0, INPUT, "%s: tensors %s and %s are the same weight twice",
              path, entries[i - 1].tensor->name, entries[i].tensor->name);
  return ATL_OK;
}

static atl_status_t take(const char *path, entry_t *entries, size_t n, const atl_table_entry_t *wanted,
                         atl_tensor_t *tensor) {
  entry_t *found = bsearch(wanted->name, entries, n, sizeof *entries, compare);
  atl_tensor_t expected = {.dtype = ATL_F32, .n_dims = wanted->n_dims};
  for (int i = 0; i < wanted->n_dims; i++) expected.shape[i] = wanted->shape[i];
  char want[128], have[128];
  atl_tensor_describe(&expected, want, sizeof want);
  ATL_CHECK(found != NULL, INPUT,
            "%s: tensor %s, %s, is missing; the file is incomplete, or its hyperparameters are of another model", path,
            wanted->name, want);
  *tensor = *found->tensor;
  found->is_taken = true;
  atl_tensor_describe(tensor, have, sizeof have);
  bool is_old_table = strcmp(wanted->name, "transformer.pos_emb") == 0 && tensor->n_dims == 4;
  ATL_CHECK(
      !is_old_table, UNSUPPORTED,
      "%s: the rotary table is %s, as saved by versions before 1.1.2 (now %s), which padded positions differently; "
      "continue training with DALLE-pytorch 1.5.0 or later",
      path, have, want);
  ATL_CHECK(atl_tensor_has_shape(tensor, wanted->n_dims, wanted->shape), INPUT,
            "%s: tensor %s: expected %s, found %s; the hyperparameters do not fit the weights", path, tensor->name,
            want, have);
  ATL_CHECK(atl_dtype_is_float(tensor->dtype), INPUT, "%s: tensor %s: expected floating-point numbers, found %s", path,
            tensor->name, have);
  return ATL_OK;
}

static atl_status_t select_indexed(const char *path, entry_t *entries, size_t n, const atl_table_list_t *expected,
                                   atl_tensor_t *taken) {
  for (size_t i = 0; i < expected->n; i++) ATL_TRY(take(path, entries, n, &expected->items[i], &taken[i]));
  char text[128];
  for (size_t i = 0; i < n; i++)
    ATL_CHECK(
        entries[i].is_taken || is_dispensable(entries[i].name), UNSUPPORTED,
        "%s: the hyperparameters do not account for tensor %s, %s; without it atelier would compute another model",
        path, entries[i].tensor->name, atl_tensor_describe(entries[i].tensor, text, sizeof text));
  return ATL_OK;
}

atl_status_t atl_checkpoint_select(const char *path, const atl_tensor_t *tensors, size_t n_tensors,
                                   const atl_table_list_t *expected, atl_arena_t *arena, atl_checkpoint_part_t *part) {
  entry_t *entries;
  atl_tensor_t *taken;
  ATL_TRY(ATL_TAKE(arena, expected->n, &taken));
  ATL_TRY(ATL_NEW(n_tensors, &entries));
  atl_status_t status = index_names(path, tensors, n_tensors, entries);
  if (status == ATL_OK) status = select_indexed(path, entries, n_tensors, expected, taken);
  ATL_DESTROY(&entries);
  if (status == ATL_OK) *part = (atl_checkpoint_part_t){.tensors = taken, .n_tensors = expected->n};
  return status;
}

atl_status_t atl_checkpoint_check_finite(const char *path, const atl_tensor_t *tensor) {
  float piece[PIECE_ITEMS];
  size_t n_items;
  ATL_TRY(atl_tensor_n_items(tensor, &n_items));
  for (size_t done = 0, n; done < n_items; done += n) {
    n = n_items - done < PIECE_ITEMS ? n_items - done : PIECE_ITEMS;
    atl_tensor_get_f32(tensor, done, n, piece);
    for (size_t i = 0; i < n; i++)
      ATL_CHECK(isfinite(piece[i]), INPUT,
                "%s: tensor %s: item %zu is %g; weights must be finite: training diverged, or the file is damaged",
                path, tensor->name, done + i, (double)piece[i]);
  }
  return ATL_OK;
}
