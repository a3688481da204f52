/* tensors OUT NAME=SOURCE ...: writes a safetensors file OUT with tensors taken from other files or given as numbers.
 * SOURCE is
 *     FILE:TENSOR             the whole tensor
 *     FILE:TENSOR@N           its first N items, as a vector
 *     FILE:TENSOR%N           every N-th row, as a matrix; a row runs along the last dimension
 *     ROWSxCOLUMNS:1,2,3      an i32 matrix; items that are not given are 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/safetensors.h"

enum { MAX_TENSORS = 8 };

typedef struct {
  atl_tensor_t tensors[MAX_TENSORS];
  atl_safetensors_t *files[MAX_TENSORS];
  int n;
  atl_arena_t arena;
} set_t;

static atl_status_t add_numbers(set_t *set, const char *name, long n_rows, long n_columns, const char *text) {
  int32_t *items;
  ATL_CHECK(n_rows > 0 && n_columns > 0, USAGE, "%s: expected at least 1 x 1 items, found %ld x %ld", name, n_rows,
            n_columns);
  ATL_TRY(ATL_TAKE(&set->arena, n_rows * n_columns, &items));
  for (long i = 0; *text != '\0' && i < n_rows * n_columns; i++) {
    char *end;
    items[i] = (int32_t)strtol(text, &end, 10);
    text = *end == ',' ? end + 1 : end;
  }
  set->tensors[set->n] = (atl_tensor_t){name, ATL_I32, 2, {n_rows, n_columns}, items};
  return ATL_OK;
}

/* Keeps rows 0, every, 2 every, ...; a row runs along the last dimension. */
static atl_status_t thin(set_t *set, atl_tensor_t *tensor, long every) {
  size_t n_bytes;
  int64_t n_rows = 1, n_columns = tensor->shape[tensor->n_dims - 1];
  ATL_CHECK(every > 0 && tensor->n_dims > 0, USAGE, "expected every N-th row with N of at least 1, found N = %ld",
            every);
  for (int i = 0; i + 1 < tensor->n_dims; i++) n_rows *= tensor->shape[i];
  ATL_TRY(atl_tensor_n_bytes(tensor, &n_bytes));
  size_t row_bytes = n_bytes / (size_t)n_rows, n_kept = (size_t)((n_rows + every - 1) / every);
  char *kept;
  ATL_TRY(ATL_TAKE(&set->arena, n_kept * row_bytes, &kept));
  for (size_t i = 0; i < n_kept; i++)
    memcpy(kept + i * row_bytes, (const char *)tensor->data + i * (size_t)every * row_bytes, row_bytes);
  *tensor = (atl_tensor_t){tensor->name, tensor->dtype, 2, {(int64_t)n_kept, n_columns}, kept};
  return ATL_OK;
}

static atl_status_t add_tensor(set_t *set, const char *name, const char *file, char *tensor) {
  char *count = strchr(tensor, '@'), *every = strchr(tensor, '%');
  if (count != NULL) *count++ = '\0';
  if (every != NULL) *every++ = '\0';
  ATL_TRY(atl_safetensors_open(file, &set->files[set->n]));
  const atl_tensor_t *found = atl_safetensors_find(set->files[set->n], tensor);
  ATL_CHECK(found != NULL, USAGE, "%s: expected a tensor %s, found none", file, tensor);
  set->tensors[set->n] = *found;
  set->tensors[set->n].name = name;
  if (every != NULL) return thin(set, &set->tensors[set->n], strtol(every, NULL, 10));
  if (count == NULL) return ATL_OK;
  set->tensors[set->n].n_dims = 1;
  set->tensors[set->n].shape[0] = strtol(count, NULL, 10);
  return ATL_OK;
}

static atl_status_t add(set_t *set, char *word) {
  char *from = strchr(word, '='), *tail = from == NULL ? NULL : strrchr(from, ':'), *times;
  ATL_CHECK(set->n < MAX_TENSORS && tail != NULL, USAGE, "'%s': expected NAME=FILE:TENSOR", word);
  *from++ = *tail++ = '\0';
  long n_rows = strtol(from, &times, 10);
  ATL_TRY(times > from && *times == 'x' ? add_numbers(set, word, n_rows, strtol(times + 1, NULL, 10), tail)
                                        : add_tensor(set, word, from, tail));
  set->n++;
  return ATL_OK;
}

int main(int argc, char **argv) {
  set_t set = {0};
  atl_status_t status = argc < 3 ? ATL_FAIL(USAGE, "expected OUT NAME=FILE:TENSOR ...") : ATL_OK;
  for (int i = 2; status == ATL_OK && i < argc; i++) status = add(&set, argv[i]);
  if (status == ATL_OK) status = atl_safetensors_save(argv[1], set.tensors, (size_t)set.n, NULL, 0);
  if (status != ATL_OK) printf("# %s\n", atl_status_message());
  for (int i = 0; i < MAX_TENSORS; i++) atl_safetensors_destroy(&set.files[i]);
  atl_arena_clear(&set.arena);
  return status != ATL_OK;
}
