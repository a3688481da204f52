/* argmax LOGITS CODES FIRST [NULL_LOGITS G]: checks greedy sampling. Every image token of the tensor "greedy" (B,I) of
 * file CODES, from index FIRST on, must have the largest of the "logits" (B,T+I,V) of file LOGITS in the row before it,
 * with a margin above 0 over the second largest. With NULL_LOGITS the logits are l_null + G (l - l_null). Prints the
 * number of wrong tokens and the smallest margin as a TAP comment. Exit code 0 if the check holds, 1 if not, 2 for bad
 * input. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/safetensors.h"

typedef struct {
  const float *logits, *null_logits; /* (B, n_rows, V) */
  const int32_t *codes;              /* (B, I) */
  int64_t n_texts, n_codes, n_rows, n_ids;
  double guidance;
} case_t;

static double logit_of(const case_t *c, int64_t text, int64_t row, int64_t id) {
  int64_t at = (text * c->n_rows + row) * c->n_ids + id;
  if (c->null_logits == NULL) return (double)c->logits[at];
  return (float)((double)c->null_logits[at] + c->guidance * ((double)c->logits[at] - (double)c->null_logits[at]));
}

/* Returns the margin of image token j of a text over all other image ids, which are the unmasked ids. Negative: another
 * id has a larger logit. */
static double find_lead(const case_t *c, int64_t text, int64_t j) {
  int64_t row = c->n_rows - c->n_codes + j, first = 0;
  while (first < c->n_ids && !(c->logits[(text * c->n_rows + row) * c->n_ids + first] > -FLT_MAX)) first++;
  int64_t chosen = first + c->codes[text * c->n_codes + j];
  double lead = INFINITY;
  for (int64_t id = first; id < c->n_ids; id++)
    if (id != chosen) lead = fmin(lead, logit_of(c, text, row, chosen) - logit_of(c, text, row, id));
  return lead;
}

static int is_greedy(const case_t *c, int64_t first) {
  double least = INFINITY;
  int64_t n_wrong = 0;
  for (int64_t text = 0; text < c->n_texts; text++)
    for (int64_t j = first; j < c->n_codes; j++) {
      double lead = find_lead(c, text, j);
      n_wrong += !(lead >= 0);
      least = fmin(least, lead);
    }
  printf("# %lld image tokens of %lld texts, %lld not the most likely, smallest margin %.3g\n",
         (long long)(c->n_codes - first), (long long)c->n_texts, (long long)n_wrong, least);
  return n_wrong == 0 && least > 0;
}

static const void *find(const atl_safetensors_t *file, const char *name, int n_dims, const atl_tensor_t **tensor) {
  *tensor = atl_safetensors_find(file, name);
  if (*tensor != NULL && (*tensor)->n_dims == n_dims) return (*tensor)->data;
  printf("# %s: no tensor %s of the expected number of dimensions\n", atl_safetensors_path(file), name);
  exit(2);
}

int main(int argc, char **argv) {
  atl_safetensors_t *files[3] = {NULL};
  const char *paths[3] = {argv[1], argv[2], argc > 5 ? argv[4] : NULL};
  const atl_tensor_t *logits, *codes, *null_logits;
  if (argc != 4 && argc != 6) return 2;
  for (int i = 0; i < 3 && paths[i] != NULL; i++)
    if (atl_safetensors_open(paths[i], &files[i]) != ATL_OK) {
      printf("# %s\n", atl_status_message());
      return 2;
    }
  case_t c = {.guidance = argc > 5 ? atof(argv[5]) : 1};
  c.logits = find(files[0], "logits", 3, &logits);
  c.codes = find(files[1], "greedy", 2, &codes);
  if (files[2] != NULL) c.null_logits = find(files[2], "logits", 3, &null_logits);
  c.n_texts = codes->shape[0], c.n_codes = codes->shape[1];
  c.n_rows = logits->shape[1], c.n_ids = logits->shape[2];
  int is_right = is_greedy(&c, atol(argv[3]));
  for (int i = 0; i < 3; i++) atl_safetensors_destroy(&files[i]);
  return !is_right;
}
