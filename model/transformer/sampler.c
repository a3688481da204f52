/* Top-k and top-p follow one rule: walk the tokens from the most likely down (the lower token first on a tie) and keep
 * a token while the weight before it is below a target. For top-k every token weighs 1 and the target is k; for top-p a
 * token weighs its probability and the target is p. Radix selection finds the logit at which the target is met: the
 * bits of a float, mapped so that they order as unsigned integers, are determined 11, 11 and 10 at a time from a
 * histogram of weights. This takes three passes over the tokens in increasing order, without sorting or allocation. */
#include "model/transformer/sampler.h"

#include <math.h>
#include <string.h>

#include "common/arena.h"
#include "common/rng.h"
#include "model/kernels/activation/activation.h"
#include "model/kernels/select/select.h"

enum { DIGIT_BITS = 11, N_BUCKETS = 1 << DIGIT_BITS };

struct atl_sampler {
  atl_arena_t arena;
  atl_sampling_t sampling;
  int32_t n_tokens;  /* V_i */
  int32_t n_kept;    /* the smallest of top-k, the number that filter_thres keeps, and V_i */
  float *weights;    /* (V_i) unnormalised probabilities, 0 for a token that is not kept */
  double *sums;      /* of each block of weights */
  double *histogram; /* (N_BUCKETS) */
};

typedef struct {
  uint32_t key;  /* tokens above it are kept */
  double before; /* the weight of those; tokens at `key` are kept, lower first, while this is below the target */
} threshold_t;

/* Number of tokens that top_k and filter_thres keep. filter_thres counts all V_T+V_i ids, of which the text ids are
 * masked: it keeps (1 - filter_thres) (V_T+V_i) ids, so it has no effect below V_T / (V_T+V_i). */
static int32_t n_kept_of(const atl_sampling_t *s, int32_t n_tokens, int32_t n_ids) {
  int32_t k = n_tokens;
  if (s->top_k > 0 && s->top_k < k) k = s->top_k;
  if (s->filter_thres >= 0) {
    double left = fmax(floor((1 - s->filter_thres) * n_ids), 1);
    if (left < k) k = (int32_t)left;
  }
  return k;
}

atl_status_t atl_sampler_new(const atl_sampling_t *sampling, int32_t n_tokens, int32_t n_ids, atl_sampler_t **sampler) {
  *sampler = NULL;
  ATL_ASSERT(n_tokens > 0 && n_ids >= n_tokens);
  ATL_TRY(atl_sampling_check(sampling));
  atl_sampler_t *s;
  ATL_TRY(ATL_NEW(1, &s));
  s->sampling = *sampling;
  s->n_tokens = n_tokens;
  s->n_kept = n_kept_of(sampling, n_tokens, n_ids);
  atl_status_t status = ATL_TAKE(&s->arena, n_tokens, &s->weights);
  if (status == ATL_OK) status = ATL_TAKE(&s->arena, n_tokens / ATL_SELECT_BLOCK + 1, &s->sums);
  if (status == ATL_OK) status = ATL_TAKE(&s->arena, N_BUCKETS, &s->histogram);
  *sampler = s;
  if (status != ATL_OK) atl_sampler_destroy(sampler);
  ATL_TRY(status);
  return ATL_OK;
}

void atl_sampler_destroy(atl_sampler_t **sampler) {
  if (*sampler == NULL) return;
  atl_arena_clear(&(*sampler)->arena);
  ATL_DESTROY(sampler);
}

/* The bits of a float, mapped so that they order as unsigned integers: negative numbers reversed, positive ones above.
 */
static uint32_t key_of(float x) {
  uint32_t bits;
  x += 0.0f; /* -0 counts as 0 */
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* weights == NULL: every token weighs 1. */
static threshold_t find_threshold(double *histogram, const float *logits, const float *weights, int32_t n,
                                  double target) {
  threshold_t t = {0, 0};
  uint32_t known = 0; /* mask of the key's bits that are determined */
  for (int shift = 32 - DIGIT_BITS;;) {
    memset(histogram, 0, N_BUCKETS * sizeof *histogram);
    for (int32_t i = 0; i < n; i++) {
      uint32_t key = key_of(logits[i]);
      if ((key & known) == t.key) histogram[key >> shift & (N_BUCKETS - 1)] += weights ? (double)weights[i] : 1;
    }
    int bucket = N_BUCKETS - 1;
    while (bucket > 0 && t.before + histogram[bucket] < target) t.before += histogram[bucket--];
    t.key |= (uint32_t)bucket << shift;
    known |= (uint32_t)(N_BUCKETS - 1) << shift;
    if (shift == 0) return t;
    shift = shift > DIGIT_BITS ? shift - DIGIT_BITS : 0;
  }
}

static bool is_kept(threshold_t *t, float logit, double weight, double target) {
  uint32_t key = key_of(logit);
  if (key != t->key) return key > t->key;
  bool is_below = t->before < target;
  t->before += weight;
  return is_below;
}

/* weights <- exp((logit - max) / temperature) of the k most likely tokens, 0 elsewhere. */
static void softmax_weights(atl_sampler_t *s, const float *logits) {
  float top = logits[atl_activation_argmax(logits, s->n_tokens)];
  atl_select_weigh(s->weights, logits, top, (float)(1 / s->sampling.temperature), s->n_tokens);
  if (s->n_kept == s->n_tokens) return;
  threshold_t t = find_threshold(s->histogram, logits, NULL, s->n_tokens, s->n_kept);
  for (int32_t i = 0; i < s->n_tokens; i++)
    if (!is_kept(&t, logits[i], 1, s->n_kept)) s->weights[i] = 0;
}

/* Drops the tokens outside the nucleus. */
static void cut_nucleus(atl_sampler_t *s, const float *logits) {
  double target = s->sampling.top_p * atl_select_sum(s->sums, s->weights, s->n_tokens);
  threshold_t t = find_threshold(s->histogram, logits, s->weights, s->n_tokens, target);
  for (int32_t i = 0; i < s->n_tokens; i++)
    if (!is_kept(&t, logits[i], s->weights[i], target)) s->weights[i] = 0;
}

/* The first token at which the running sum of weights exceeds u times their total: finds its block first, then the
 * token. If rounding leaves the sum short, it is the last token of that block with a weight. */
static int32_t pick(atl_sampler_t *s, double u) {
  int32_t n_blocks = (s->n_tokens + ATL_SELECT_BLOCK - 1) / ATL_SELECT_BLOCK, b = 0, token = 0;
  u *= atl_select_sum(s->sums, s->weights, s->n_tokens);
  while (s->sums[n_blocks - 1] == 0) n_blocks--;
  double sum = 0;
  for (; b < n_blocks - 1 && sum + s->sums[b] <= u; b++) sum += s->sums[b];
  int32_t end = (b + 1) * ATL_SELECT_BLOCK < s->n_tokens ? (b + 1) * ATL_SELECT_BLOCK : s->n_tokens;
  for (int32_t i = b * ATL_SELECT_BLOCK; i < end && !(sum > u); i++) {
    if (s->weights[i] > 0) token = i;
    sum += (double)s->weights[i];
  }
  return token;
}

/* Without this error, a network that computes NaN would draw as if all tokens were equally likely. */
static atl_status_t report_not_finite(const atl_sampler_t *s, const atl_draw_t *draw, int64_t n) {
  return ATL_FAIL(
      NUMERIC,
      "prompt %s, sample %u, image position %u: %lld of %d logits are NaN or infinite, so there is nothing to "
      "draw from; check the checkpoint for extreme weights, or try dtype f32%s",
      draw->prompt == NULL ? "(unnamed)" : draw->prompt, draw->sample, draw->position, (long long)n, s->n_tokens,
      s->sampling.guidance == 1 ? "" : " or a smaller guidance");
}

atl_status_t atl_sampler_draw(atl_sampler_t *s, float *logits, const float *null_logits, const atl_draw_t *draw,
                              int32_t *token) {
  *token = 0;
  if (null_logits != NULL && s->sampling.guidance != 1)
    atl_select_apply_guidance(logits, null_logits, (float)s->sampling.guidance, s->n_tokens);
  int64_t n_not_finite = atl_select_make_finite(logits, s->n_tokens);
  if (n_not_finite > 0) return report_not_finite(s, draw, n_not_finite);
  if (s->sampling.greedy) {
    *token = (int32_t)atl_activation_argmax(logits, s->n_tokens);
    return ATL_OK;
  }
  softmax_weights(s, logits);
  if (s->sampling.top_p < 1) cut_nucleus(s, logits);
  *token = pick(s, atl_rng_uniform(draw->seed, draw->prompt_key, draw->sample, draw->position));
  return ATL_OK;
}
