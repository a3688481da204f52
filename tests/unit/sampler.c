// TEST np=1
/* The sampler against distributions computed here by sorting, and in edge cases. */
#include "model/transformer/sampler.h"

#include <float.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/rng.h"
#include "tests/support/tap.h"

enum { V = 32, N_IDS = 100, N_DRAWS = 20000 };

static const atl_sampling_t plain_sampling = {
    .temperature = 1, .top_k = 0, .top_p = 1, .filter_thres = -1, .guidance = 1};

/* Fixed, irregular logits between -3 and 3, all different. */
static void fill_logits(float *x) {
  for (int i = 0; i < V; i++) x[i] = (float)((i * 13) % V) * 6.0f / V - 3.0f;
}

static int32_t draw_once(const atl_sampling_t *sampling, const float *logits, const float *null_logits, int32_t n,
                         int32_t n_ids) {
  float x[64];
  memcpy(x, logits, (size_t)n * sizeof *x);
  atl_sampler_t *sampler;
  if (atl_sampler_new(sampling, n, n_ids, &sampler) != ATL_OK) return -1;
  int32_t token;
  const atl_draw_t draw = {.seed = 1, .prompt_key = 2, .sample = 3, .position = 4};
  if (atl_sampler_draw(sampler, x, null_logits, &draw, &token) != ATL_OK) token = -1;
  atl_sampler_destroy(&sampler);
  return token;
}

typedef struct {
  float logit;
  int token;
} entry_t;

static int is_before(const void *a, const void *b) {
  const entry_t *x = a, *y = b;
  if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
  return x->token - y->token;
}

/* The plain twin: sort, keep k, softmax, keep while the mass before is below p, normalise. */
static void reference(const float *logits, double temperature, int k, double top_p, double *p) {
  entry_t sorted[V];
  double mass[V], total = 0, before = 0, left = 0;
  for (int i = 0; i < V; i++) sorted[i] = (entry_t){logits[i], i};
  qsort(sorted, V, sizeof *sorted, is_before);
  for (int i = 0; i < k; i++) total += mass[i] = exp(((double)sorted[i].logit - (double)sorted[0].logit) / temperature);
  memset(p, 0, V * sizeof *p);
  for (int i = 0; i < k && before < top_p; i++) {
    left += p[sorted[i].token] = mass[i] / total;
    before += mass[i] / total;
  }
  for (int i = 0; i < V; i++) p[i] /= left;
}

/* Chi-square of N_DRAWS draws against p. The bound is the mean plus 5 standard deviations, d + 5 sqrt(2 d), which a
 * correct sampler exceeds less than once in 10^4 times. The seed is fixed, so the result never changes. */
static void check_distribution(const atl_sampling_t *sampling, int k, const char *name) {
  float logits[V], x[V];
  double p[V], n[V] = {0}, chi2 = 0;
  int degrees = -1, n_outside = 0;
  fill_logits(logits);
  reference(logits, sampling->temperature, k, sampling->top_p, p);
  atl_sampler_t *sampler;
  if (!TAP_STATUS(ATL_OK, atl_sampler_new(sampling, V, N_IDS, &sampler), name)) return;
  for (uint32_t i = 0; i < N_DRAWS; i++) {
    memcpy(x, logits, sizeof x);
    const atl_draw_t draw = {.seed = 42, .prompt_key = 17, .sample = i >> 6, .position = i & 63};
    int32_t token;
    if (atl_sampler_draw(sampler, x, NULL, &draw, &token) == ATL_OK) n[token]++;
  }
  atl_sampler_destroy(&sampler);
  for (int i = 0; i < V; i++) {
    if (p[i] == 0) {
      n_outside += n[i] != 0;
      continue;
    }
    degrees++;
    chi2 += (n[i] - N_DRAWS * p[i]) * (n[i] - N_DRAWS * p[i]) / (N_DRAWS * p[i]);
  }
  printf("# %d kept, chi-square %.1f\n", degrees + 1, chi2);
  TAP_OK(n_outside == 0, "only kept tokens are drawn");
  TAP_OK(chi2 <= degrees + 5 * sqrt(2.0 * degrees), "draws follow the distribution");
}

static void check_distributions(void) {
  atl_sampling_t s = plain_sampling;
  check_distribution(&s, V, "plain");
  s.temperature = 0.5;
  check_distribution(&s, V, "temperature 0.5");
  s.temperature = 2;
  check_distribution(&s, V, "temperature 2");
  s.top_k = 5;
  check_distribution(&s, 5, "temperature 2, top-k 5");
  s.top_p = 0.6;
  check_distribution(&s, 5, "temperature 2, top-k 5, top-p 0.6 of those");
  s.top_k = 0;
  check_distribution(&s, V, "temperature 2, top-p 0.6");
  s = plain_sampling;
  s.filter_thres = 0.9;
  check_distribution(&s, 9, "filter_thres 0.9: floor((1 - 0.9) * 100) is 9 in doubles, as the reference computes it");
  s.filter_thres = 0.5;
  check_distribution(&s, V, "filter_thres 0.5 keeps more ids than there are image tokens: no filtering");
  s.filter_thres = 0.99999;
  check_distribution(&s, 1, "filter_thres 0.99999 keeps one");
}

static void check_ties(void) {
  float equal[8] = {0}, pair[4] = {1, 2, 2, 0}, zeros[3] = {-0.0f, 0.0f, -1};
  atl_sampling_t s = plain_sampling;
  s.top_k = 1;
  TAP_OK(draw_once(&s, equal, NULL, 8, 8) == 0, "a tie at the k-th value keeps the lower token");
  TAP_OK(draw_once(&s, pair, NULL, 4, 4) == 1, "a tie at the top keeps the lower token");
  TAP_OK(draw_once(&s, zeros, NULL, 3, 3) == 0, "-0 ties with 0");
  s = plain_sampling;
  s.top_p = 1e-9;
  TAP_OK(draw_once(&s, pair, NULL, 4, 4) == 1, "a tiny top-p keeps one token");
  s.greedy = true;
  TAP_OK(draw_once(&s, pair, NULL, 4, 4) == 1, "greedy takes the lower of two best tokens");
}

static void check_masks(void) {
  const float masked[4] = {-FLT_MAX, 3, -FLT_MAX, -FLT_MAX}, all_masked[2] = {-FLT_MAX, -FLT_MAX};
  const float null_logits[4] = {-FLT_MAX, 1, 5, -FLT_MAX};
  atl_sampling_t s = plain_sampling;
  s.guidance = 3;
  TAP_OK(draw_once(&s, masked, masked, 4, 4) == 1, "a token masked in both passes stays masked under guidance");
  TAP_OK(draw_once(&s, masked, null_logits, 4, 4) == 1, "a token masked in the conditional pass stays masked");
  s.guidance = -3;
  TAP_OK(draw_once(&s, masked, null_logits, 4, 4) == 1, "negative guidance does not lift the mask");
  s.top_p = 0.5;
  TAP_OK(draw_once(&s, masked, masked, 4, 4) == 1, "a masked token stays masked under top-p");
  int32_t token = draw_once(&plain_sampling, all_masked, NULL, 2, 2);
  TAP_OK(token == 0 || token == 1, "a draw with all tokens masked still gives a token");
  const float infinite[3] = {-INFINITY, 0, -INFINITY};
  TAP_OK(draw_once(&plain_sampling, infinite, NULL, 3, 3) == 1, "a logit of -infinity masks its token");
  TAP_OK(draw_once(&s, infinite, infinite, 3, 3) == 1, "a logit of -infinity masks its token under guidance");
}

/* Draws once from `logits` and checks that it fails with a message that names prompt, sample, position and count. */
static void check_not_finite(const atl_sampling_t *sampling, const float *logits, const float *null_logits, int32_t n,
                             const char *count, const char *name) {
  float x[64];
  memcpy(x, logits, (size_t)n * sizeof *x);
  atl_sampler_t *sampler;
  int32_t token;
  const atl_draw_t draw = {.sample = 3, .position = 17, .prompt = "p7"};
  if (!TAP_STATUS(ATL_OK, atl_sampler_new(sampling, n, n, &sampler),
                  "a sampler is created for logits that are not finite"))
    return;
  TAP_STATUS(ATL_NUMERIC, atl_sampler_draw(sampler, x, null_logits, &draw, &token), name);
  TAP_OK(strstr(atl_status_message(), count) != NULL && strstr(atl_status_message(), "prompt p7") != NULL &&
             strstr(atl_status_message(), "sample 3") != NULL && strstr(atl_status_message(), "position 17") != NULL,
         "the message about logits that are not finite names prompt, sample, position and count");
  atl_sampler_destroy(&sampler);
}

static void check_nans(void) {
  const float nans[4] = {NAN, 1, NAN, 0}, infinite[4] = {0, INFINITY, 1, 2}, finite[4] = {0, 1, 2, 3};
  float many[V + 3]; /* two groups of lanes and a remainder */
  atl_sampling_t s = plain_sampling;
  check_not_finite(&s, nans, NULL, 4, "2 of 4 logits", "a draw from NaN fails");
  check_not_finite(&s, infinite, NULL, 4, "1 of 4 logits", "a draw from +infinity fails");
  for (int i = 0; i < V + 3; i++) many[i] = i % 2 == 0 ? NAN : 0;
  check_not_finite(&s, many, NULL, V + 3, "18 of 35 logits", "a draw from many NaN fails");
  s.greedy = true;
  check_not_finite(&s, nans, NULL, 4, "2 of 4 logits", "a greedy draw from NaN fails");
  s.guidance = 2;
  check_not_finite(&s, finite, nans, 4, "2 of 4 logits", "a draw guided by NaN fails");
}

/* The lowest allowed temperature draws the most likely token. */
static void check_coldest(void) {
  float logits[V];
  atl_sampling_t s = plain_sampling, greedy = plain_sampling;
  fill_logits(logits);
  s.temperature = (double)FLT_MIN;
  greedy.greedy = true;
  TAP_OK(draw_once(&s, logits, NULL, V, V) == draw_once(&greedy, logits, NULL, V, V),
         "the lowest temperature draws what greedy draws");
}

static void check_guidance(void) {
  const float cond[3] = {1, 2, 0}, null_logits[3] = {0, 2.5f, 0};
  atl_sampling_t s = plain_sampling;
  s.greedy = true;
  TAP_OK(draw_once(&s, cond, null_logits, 3, 3) == 1, "guidance 1 is the conditional pass");
  s.guidance = 3; /* 3, 1, 0 */
  TAP_OK(draw_once(&s, cond, null_logits, 3, 3) == 0, "guidance 3 moves away from the null pass");
}

/* Two equally likely tokens in blocks far apart: of 10000 draws the later one gets half, within 5 standard deviations
 * of 50. */
static void check_blocks(void) {
  enum { N_MANY = 200, N_TRIES = 10000 };
  const atl_sampling_t sampling = {.temperature = 1, .top_p = 1, .filter_thres = -1, .guidance = 1};
  atl_sampler_t *s;
  int n_early = 0, n_late = 0;
  TAP_STATUS(ATL_OK, atl_sampler_new(&sampling, N_MANY, N_MANY, &s), "a sampler of many tokens is created");
  for (uint32_t i = 0; i < N_TRIES; i++) {
    float logits[N_MANY];
    for (int c = 0; c < N_MANY; c++) logits[c] = c == 10 || c == 190 ? 0.0f : -1000.0f;
    int32_t token;
    if (atl_sampler_draw(s, logits, NULL, &(atl_draw_t){.seed = 1, .position = i}, &token) != ATL_OK) continue;
    n_early += token == 10;
    n_late += token == 190;
  }
  TAP_OK(n_early + n_late == N_TRIES && n_late > N_TRIES / 2 - 250 && n_late < N_TRIES / 2 + 250,
         "two equally likely tokens of different blocks are drawn equally often");
  atl_sampler_destroy(&s);
}

static void check_refusals(void) {
  atl_sampler_t *sampler;
  atl_sampling_t s = plain_sampling;
  s.temperature = 0;
  TAP_STATUS(ATL_USAGE, atl_sampler_new(&s, V, V, &sampler), "temperature 0 is refused");
  s.temperature = 1e-39; /* 1/T is not a finite float */
  TAP_STATUS(ATL_USAGE, atl_sampler_new(&s, V, V, &sampler), "temperature 1e-39 is refused");
  TAP_OK(strncmp(atl_status_message(), "temperature 1e-39: ", 19) == 0, "the message names the setting and its value");
  s.greedy = true;
  TAP_STATUS(ATL_OK, atl_sampling_check(&s), "greedy ignores the temperature");
  s = plain_sampling, s.top_p = 0;
  TAP_STATUS(ATL_USAGE, atl_sampler_new(&s, V, V, &sampler), "top-p 0 is refused");
  s = plain_sampling, s.top_k = -1;
  TAP_STATUS(ATL_USAGE, atl_sampler_new(&s, V, V, &sampler), "top-k -1 is refused");
  s = plain_sampling, s.filter_thres = 1;
  TAP_STATUS(ATL_USAGE, atl_sampler_new(&s, V, V, &sampler), "filter-thres 1 is refused");
  s = plain_sampling, s.guidance = NAN;
  TAP_STATUS(ATL_USAGE, atl_sampler_new(&s, V, V, &sampler), "guidance NaN is refused");
  for (int n = 1; n <= 3; n++) {
    atl_memory_fail_after(n);
    TAP_STATUS(ATL_MEMORY, atl_sampler_new(&plain_sampling, V, V, &sampler), "a failed allocation is reported");
  }
  check_blocks();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing is leaked");
}

int main(void) {
  check_distributions();
  check_ties();
  check_masks();
  check_nans();
  check_coldest();
  check_guidance();
  check_refusals();
  return tap_done();
}
