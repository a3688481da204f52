/* agreement WANT GOT N_CODES PERCENT ERROR: compares the tensors "logits" (B,rows,V) of two files for the same texts
 * and image tokens. It reads the last N_CODES rows of each text, which predict the image tokens. At least PERCENT of
 * the rows must have their largest logit at the same id, and the root mean square of the difference must be at most
 * ERROR times that of WANT; masked logits are left out. Prints both values as a TAP comment. Exit code 0 if both hold,
 * 1 if not, 2 for bad input. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/safetensors.h"

typedef struct {
  int64_t n, n_same;         /* positions, and those that agree */
  double difference, square; /* sums of squares */
} agreement_t;

static int64_t largest(const float *logits, int64_t n) {
  int64_t best = 0;
  for (int64_t id = 1; id < n; id++)
    if (logits[id] > logits[best]) best = id;
  return best;
}

static void add_row(agreement_t *a, const float *want, const float *got, int64_t n) {
  a->n++;
  a->n_same += largest(want, n) == largest(got, n);
  for (int64_t id = 0; id < n; id++) {
    if (!(want[id] > -FLT_MAX)) continue;
    a->difference += pow((double)got[id] - (double)want[id], 2);
    a->square += pow((double)want[id], 2);
  }
}

static const atl_tensor_t *open_logits(const char *path, atl_safetensors_t **file) {
  if (atl_safetensors_open(path, file) != ATL_OK) {
    printf("# %s\n", atl_status_message());
    return NULL;
  }
  const atl_tensor_t *logits = atl_safetensors_find(*file, "logits");
  if (logits == NULL || logits->n_dims != 3 || logits->dtype != ATL_F32)
    printf("# %s: expected logits as F32 (B,rows,V)\n", path);
  return logits;
}

int main(int argc, char **argv) {
  atl_safetensors_t *files[2] = {NULL};
  if (argc != 6) return 2;
  const atl_tensor_t *want = open_logits(argv[1], &files[0]), *got = open_logits(argv[2], &files[1]);
  if (want == NULL || got == NULL || !atl_tensor_has_shape(want, 3, got->shape)) return 2;
  int64_t n_rows = want->shape[1], n_ids = want->shape[2], n_codes = atol(argv[3]);
  agreement_t a = {0};
  for (int64_t text = 0; text < want->shape[0]; text++)
    for (int64_t row = n_rows - n_codes; row < n_rows; row++) {
      int64_t at = (text * n_rows + row) * n_ids;
      add_row(&a, (const float *)want->data + at, (const float *)got->data + at, n_ids);
    }
  double percent = 100 * (double)a.n_same / (double)a.n, error = sqrt(a.difference / a.square);
  printf("# %lld of %lld positions agree (%.2f %%, at least %s), relative error of the logits %.3g (at most %s)\n",
         (long long)a.n_same, (long long)a.n, percent, argv[4], error, argv[5]);
  for (int i = 0; i < 2; i++) atl_safetensors_destroy(&files[i]);
  return !(percent >= atof(argv[4]) && error <= atof(argv[5]));
}
