/* Sampler: draws one image token from image logits.
 *
 * Steps: guidance l = l_null + G (l_cond - l_null); divide by temperature; keep the top-k; softmax; keep the smallest
 * set of most likely tokens whose mass reaches top-p (a token is kept while the mass before it is < p); draw by inverse
 * CDF over tokens in increasing order, with one uniform number that is a function of (seed, prompt key, sample,
 * position). Of equal logits at the k-th value the lower tokens are kept. The thresholds are found by selection,
 * without sorting. Sums are in double, over blocks of tokens in increasing order, so the draw is a pure function, the
 * same on every CPU.
 *
 *     atl_sampler_t *sampler;
 *     ATL_TRY(atl_sampler_new(&sampling, n_tokens, n_ids, &sampler));
 *     ATL_TRY(atl_sampler_draw(sampler, logits, null_logits, &draw, &token));
 *     atl_sampler_destroy(&sampler);
 */
#ifndef ATL_MODEL_TRANSFORMER_SAMPLER_H
#define ATL_MODEL_TRANSFORMER_SAMPLER_H

#include <stdint.h>

#include "common/sampling.h"

typedef struct atl_sampler atl_sampler_t;

typedef struct {
  uint64_t seed, prompt_key;
  uint32_t sample, position; /* position: image position 0..I-1 */
  const char *prompt;        /* its id, for messages only; may be NULL */
} atl_draw_t;

/* n_tokens is V_i, n_ids is V_T+V_i. USAGE as atl_sampling_check, MEMORY. Caller owns. */
atl_status_t atl_sampler_new(const atl_sampling_t *sampling, int32_t n_tokens, int32_t n_ids, atl_sampler_t **sampler);
void atl_sampler_destroy(atl_sampler_t **sampler);
/* *token <- logits(V_i), which are overwritten, and null_logits(V_i), or NULL without guidance. -infinity and the most
 * negative float mask a token. NUMERIC: a logit is NaN or +infinity, before or after guidance; *token is then 0. */
atl_status_t atl_sampler_draw(atl_sampler_t *sampler, float *logits, const float *null_logits, const atl_draw_t *draw,
                              int32_t *token);

#endif
