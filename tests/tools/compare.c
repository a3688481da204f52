/* compare WANT GOT TOLERANCE NAME[=NAME_IN_GOT] ...: compares tensors of two safetensors files, integers exactly and
 * floats within TOLERANCE. Prints one line per tensor. Exit code 0 if all agree, 1 if not, 2 for bad input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/safetensors.h"

static int has_same_kind(const atl_tensor_t *a, const atl_tensor_t *b) {
  return a->dtype == b->dtype && atl_tensor_has_shape(a, b->n_dims, b->shape);
}

static int compare_floats(const atl_tensor_t *want, const atl_tensor_t *got, size_t n, double tolerance) {
  atl_arena_t arena = {0};
  float *w, *g;
  double worst = 0;
  size_t n_over = 0;
  if (ATL_TAKE(&arena, n, &w) != ATL_OK || ATL_TAKE(&arena, n, &g) != ATL_OK) return 0;
  atl_tensor_get_f32(want, 0, n, w);
  atl_tensor_get_f32(got, 0, n, g);
  for (size_t i = 0; i < n; i++) {
    double difference = fabs((double)w[i] - (double)g[i]);
    if (!(difference <= tolerance)) n_over++;
    if (!(difference <= worst)) worst = difference;
  }
  printf("# %s: largest difference %.3g of %zu values, tolerance %.3g, %zu outside\n", want->name, worst, n, tolerance,
         n_over);
  atl_arena_clear(&arena);
  return n_over == 0;
}

static int compare(const atl_safetensors_t *want, const atl_safetensors_t *got, const char *names, double tolerance) {
  char name[256];
  size_t n, n_bytes;
  snprintf(name, sizeof name, "%s", names);
  char *alias = strchr(name, '=');
  if (alias != NULL) *alias++ = '\0';
  const atl_tensor_t *w = atl_safetensors_find(want, name), *g = atl_safetensors_find(got, alias ? alias : name);
  if (w == NULL || g == NULL || !has_same_kind(w, g)) {
    printf("# %s: %s\n", names, w == NULL || g == NULL ? "missing" : "dtype or shape differs");
    return 0;
  }
  if (atl_tensor_n_items(w, &n) != ATL_OK || atl_tensor_n_bytes(w, &n_bytes) != ATL_OK) return 0;
  if (atl_dtype_is_float(w->dtype)) return compare_floats(w, g, n, tolerance);
  int is_same = memcmp(w->data, g->data, n_bytes) == 0;
  printf("# %s: %zu integers %s\n", name, n, is_same ? "agree" : "differ");
  return is_same;
}

int main(int argc, char **argv) {
  atl_safetensors_t *want = NULL, *got = NULL;
  if (argc < 5) return 2;
  if (atl_safetensors_open(argv[1], &want) != ATL_OK || atl_safetensors_open(argv[2], &got) != ATL_OK) {
    printf("# %s\n", atl_status_message());
    return 2;
  }
  int is_same = 1;
  for (int i = 4; i < argc; i++) is_same = compare(want, got, argv[i], atof(argv[3])) && is_same;
  atl_safetensors_destroy(&want);
  atl_safetensors_destroy(&got);
  return !is_same;
}
