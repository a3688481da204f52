/* Sampler: image logits -> one drawn image code.
 *
 * Order: guidance l = l_null + G (l_cond - l_null); divide by temperature; keep the top-k; softmax; keep the smallest
 * set of most likely codes whose mass reaches top-p (a code is kept while the mass before it is < p); draw by inverse
 * CDF over codes in increasing order with one uniform number of (seed, prompt key, sample, position). Ties at the k-th
 * value keep the lower code. Selection, not sorting. Sums run in double, over blocks of codes in increasing order: the
 * draw is a pure function, the same on every CPU.
 */
#ifndef ATL_MODEL_TRANSFORMER_SAMPLER_H
#define ATL_MODEL_TRANSFORMER_SAMPLER_H

#include <stdint.h>

#include "common/sampling.h"

typedef struct atl_sampler atl_sampler_t;

typedef struct {
  uint64_t seed, prompt_key;
  uint32_t sample, position; /* position: image index 0..I-1 */
  const char *prompt;        /* its id, for messages only; may be NULL */
} atl_draw_t;

/* USAGE as atl_sampling_check, MEMORY. n_codes = V_i, n_ids = V_T+V_i. Caller owns. */
atl_status_t atl_sampler_new(const atl_sampling_t *sampling, int32_t n_codes, int32_t n_ids, atl_sampler_t **sampler);
void atl_sampler_destroy(atl_sampler_t **sampler);
/* *code <- logits(V_i), which are overwritten, and null_logits(V_i), or NULL when there is no guidance. -infinity and the
 * most negative float mask a code. NUMERIC: a logit is NaN or +infinity, also after guidance; *code is then 0. */
atl_status_t atl_sampler_draw(atl_sampler_t *sampler, float *logits, const float *null_logits, const atl_draw_t *draw,
                              int32_t *code);

#endif
