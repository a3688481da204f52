/* Tries all layouts that the request allows: S stages, P pipelines, decoders on their own ranks or on those of stages,
 * the coordinator alone or not, and a few microbatches. The one predicted to finish first wins. A layout with more
 * stages must be at least 2 % faster, because a model on one rank has no bubble and no hops (replicate first).
 *
 * Prediction (docs/partition.md): all samples have the same length, so slots advance in lock-step. A wave of M slots
 * takes I rounds of R = max(M t_max, sum(t + c)) seconds. The job takes its waves, its prefill, S - 1 steps to fill and
 * drain, and the decoding that is left when the last wave ends. */
#include "partition/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "partition/plan_private.h"

/* Layers cost the same; only the first and last stage have extra work. So a greedy cut is optimal: each stage starts
 * with one layer, and each further layer goes to the stage that is least loaded with it. */
static void cut_layers(const atl_plan_request_t *q, int32_t n_stages, int32_t *first_layer) {
  int32_t n_layers[ATL_MAX_STAGES], b = q->microbatch > 0 ? q->microbatch : ATL_PLAN_MICROBATCH;
  for (int32_t s = 0; s < n_stages; s++) n_layers[s] = 1;
  for (int32_t left = q->n_layers - n_stages; left > 0; left--) {
    int32_t best = 0;
    double best_seconds = INFINITY;
    for (int32_t s = 0; s < n_stages; s++) {
      double seconds = atl_plan_span_seconds(q, n_layers[s] + 1, s == 0, s == n_stages - 1, b);
      if (seconds < best_seconds) best = s, best_seconds = seconds;
    }
    n_layers[best]++;
  }
  first_layer[0] = 0;
  for (int32_t s = 0; s < n_stages; s++) first_layer[s + 1] = first_layer[s] + n_layers[s];
  ATL_ASSERT(first_layer[n_stages] == q->n_layers);
}

enum { SHARING_RANKS = 4 }; /* with at most this many ranks, decoders on stage ranks get no penalty */

/* Estimates of costs that the prediction leaves out; a calibration does not replace them. Decoding on a stage's rank
 * delays its whole pipeline at times; a coordinator on a stage's rank takes time from it for each rank that it serves.
 */
static const double sharing_penalty = 0.10, coordinating_penalty = 0.002;
/* A layout replaces the best one if its score is below this factor times the best score. */
static const double gain_with_more_stages = 0.98, gain_otherwise = 0.999;

static const double max_cost = 1e9; /* seconds; bounds each cost, so that a job's sums stay finite */

typedef struct {
  const atl_plan_request_t *request;
  atl_plan_t plan; /* under consideration */
  atl_plan_t best;
  double best_score;           /* seconds, with penalties; INFINITY: none yet */
  int32_t rejected_stages;     /* smallest S with a layout rejected for memory; 0: none */
  int64_t fewest_bytes;        /* smallest bytes of a fullest rank, over all layouts */
  int32_t fewest_bytes_stages; /* S of that layout */
} search_t;

static bool fits_memory(search_t *s) {
  int64_t bytes = atl_plan_fullest_rank(&s->plan, s->request), memory = s->request->memory_per_rank;
  if (bytes < s->fewest_bytes) s->fewest_bytes = bytes, s->fewest_bytes_stages = s->plan.n_stages;
  bool fits = memory == 0 || bytes <= memory;
  if (!fits && s->rejected_stages == 0) s->rejected_stages = s->plan.n_stages;
  return fits;
}

static void consider(search_t *s) {
  if (!fits_memory(s)) return;
  atl_plan_predict(s->request, &s->plan);
  double score = s->plan.seconds;
  if (s->plan.first_stage_rank == 0) score *= 1 + coordinating_penalty * s->plan.n_ranks;
  if (s->plan.n_decoders > 0 && s->plan.first_decoder_rank < 0 && s->plan.n_ranks > SHARING_RANKS)
    score *= 1 + sharing_penalty;
  double gain = s->plan.n_stages > s->best.n_stages ? gain_with_more_stages : gain_otherwise;
  if (isfinite(s->best_score) && score >= gain * s->best_score) return;
  s->best = s->plan;
  s->best_score = score;
}

/* M = ceil(sum(t + c) / max t) slots keep every stage busy; one more absorbs jitter. A single stage needs only one. */
static int32_t choose_slots(const search_t *s, int32_t b) {
  double slowest, sum;
  if (s->request->n_slots > 0) return s->request->n_slots;
  if (s->plan.n_stages == 1) return 1;
  atl_plan_round(&s->plan, s->request, b, &slowest, &sum);
  double n_slots = ceil(sum / slowest - 1e-9) + 1;
  return n_slots < ATL_PLAN_MAX_SLOTS ? (int32_t)n_slots : ATL_PLAN_MAX_SLOTS;
}

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Takes the smallest microbatch that needs no more waves than `most` does, so that waves are even. */
static void try_microbatch(search_t *s, int32_t most) {
  const atl_plan_request_t *q = s->request;
  atl_plan_t *p = &s->plan;
  int64_t n_images = divide_up(q->n_images, p->n_pipelines);
  int32_t n_slots = choose_slots(s, most);
  int64_t n_waves = divide_up(n_images, (int64_t)n_slots * most);
  p->microbatch = q->microbatch > 0 ? q->microbatch : (int32_t)divide_up(n_images, n_waves * n_slots);
  int64_t n_needed = divide_up(n_images, p->microbatch);
  p->n_slots = q->n_slots == 0 && n_needed < n_slots ? (int32_t)n_needed : n_slots;
  p->n_prefixes = atl_plan_count_prefixes(p, q);
  consider(s);
}

static void try_microbatches(search_t *s) {
  int32_t asked = s->request->microbatch;
  for (int32_t most = asked > 0 ? asked : ATL_PLAN_MICROBATCH; most > 0; most = asked > 0 ? 0 : most / 2)
    try_microbatch(s, most);
}

/* Tries decoders on the stages' ranks, and on the ranks that stages and coordinator leave. */
static void try_decoders(search_t *s) {
  const atl_plan_request_t *q = s->request;
  atl_plan_t *p = &s->plan;
  int32_t n_stage_ranks = p->n_pipelines * p->n_stages, n_left = q->n_ranks - p->first_stage_rank - n_stage_ranks;
  int32_t most = q->n_images < ATL_MAX_RANKS ? (int32_t)q->n_images : ATL_MAX_RANKS;
  p->n_decoders = 0;
  p->first_decoder_rank = -1;
  if (!q->has_decoders) {
    try_microbatches(s);
    return;
  }
  p->n_decoders = q->n_decoders > 0 ? q->n_decoders : n_stage_ranks < most ? n_stage_ranks : most;
  if (p->n_decoders <= n_stage_ranks) try_microbatches(s);
  p->n_decoders = q->n_decoders > 0 ? q->n_decoders : n_left < most ? n_left : most;
  p->first_decoder_rank = p->first_stage_rank + n_stage_ranks;
  if (p->n_decoders > 0 && p->n_decoders <= n_left) try_microbatches(s);
}

static void try_stages(search_t *s, int32_t n_stages) {
  const atl_plan_request_t *q = s->request;
  int32_t first = q->n_pipelines > 0 ? q->n_pipelines : 1;
  int32_t last = q->n_pipelines > 0 ? q->n_pipelines : q->n_ranks / n_stages;
  s->plan = (atl_plan_t){.n_ranks = q->n_ranks, .n_stages = n_stages};
  cut_layers(q, n_stages, s->plan.first_layer);
  for (int32_t n_pipelines = first; n_pipelines <= last; n_pipelines++)
    for (int32_t alone = 0; alone <= 1 && alone + n_pipelines * n_stages <= q->n_ranks; alone++) {
      s->plan.n_pipelines = n_pipelines;
      s->plan.first_stage_rank = alone;
      try_decoders(s);
    }
}

static atl_status_t check_costs(const atl_costs_t *c) {
  const struct {
    const char *name;
    double seconds;
  } costs[] = {{"layer", c->layer},
               {"head", c->head},
               {"embedding", c->embed},
               {"draw", c->draw},
               {"layer's fixed part", c->layer_fixed},
               {"head's fixed part", c->head_fixed},
               {"prefilled row", c->prefill_row},
               {"hop", c->hop},
               {"decoded picture", c->decode},
               {"score", c->score}};
  for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
    ATL_CHECK(costs[i].seconds >= 0 && costs[i].seconds <= max_cost, INPUT,
              "cost of a %s: expected 0 to %g s, found %g s", costs[i].name, max_cost, costs[i].seconds);
  ATL_CHECK(c->layer > 0, INPUT, "cost of a layer: expected more than 0 s, found %g s", c->layer);
  return ATL_OK;
}

static atl_status_t check_request(const atl_plan_request_t *q) {
  ATL_CHECK(q->n_ranks >= 1 && q->n_ranks <= ATL_MAX_RANKS, INPUT, "plan: expected 1 to %d ranks, found %d",
            ATL_MAX_RANKS, (int)q->n_ranks);
  ATL_CHECK(q->n_layers >= 1 && q->n_layers <= ATL_MAX_STAGES, INPUT, "plan: expected 1 to %d layers, found %d",
            ATL_MAX_STAGES, (int)q->n_layers);
  ATL_CHECK(q->n_images >= 1 && q->n_prompts >= 1 && q->n_drawn >= 1, INPUT,
            "plan: expected images to draw, found %lld images of %d prompts", (long long)q->n_images,
            (int)q->n_prompts);
  ATL_TRY(check_costs(&q->costs));
  ATL_CHECK(q->n_stages >= 0 && q->n_pipelines >= 0 && q->n_decoders >= 0 && q->n_slots >= 0 && q->microbatch >= 0,
            INPUT, "stages, pipelines, decoders, slots and microbatch are counts; expected 0 (automatic) or more");
  ATL_CHECK(q->n_stages <= q->n_layers, INPUT, "%d stages for %d layers: each needs one; try --stages %d or fewer",
            (int)q->n_stages, (int)q->n_layers, (int)q->n_layers);
  ATL_CHECK(q->n_slots <= ATL_PLAN_MAX_SLOTS && q->microbatch <= ATL_PLAN_MAX_MICROBATCH, INPUT,
            "%d slots of %d candidates; expected at most %d slots and %d candidates", (int)q->n_slots,
            (int)q->microbatch, ATL_PLAN_MAX_SLOTS, ATL_PLAN_MAX_MICROBATCH);
  return ATL_OK;
}

static atl_status_t check_ranks(const atl_plan_request_t *q) {
  int32_t n_stages = q->n_stages > 0 ? q->n_stages : 1, n_pipelines = q->n_pipelines > 0 ? q->n_pipelines : 1;
  int64_t n_needed = (int64_t)n_stages * n_pipelines;
  ATL_CHECK(
      n_needed <= q->n_ranks, INPUT,
      "%d pipelines of %d stages need %lld ranks, there are %d; try --pipelines %d, fewer --stages, or more ranks",
      (int)n_pipelines, (int)n_stages, (long long)n_needed, (int)q->n_ranks,
      n_stages <= q->n_ranks ? (int)(q->n_ranks / n_stages) : 1);
  int64_t n_left = q->n_ranks - n_needed, most = n_left > n_needed ? n_left : n_needed;
  if (q->n_stages == 0 || q->n_pipelines == 0) most = q->n_ranks;
  ATL_CHECK(q->n_decoders <= most, INPUT,
            "%d decoders do not fit beside %lld stages on %d ranks; try --decoders %lld or fewer, or more ranks",
            (int)q->n_decoders, (long long)n_needed, (int)q->n_ranks, (long long)most);
  return ATL_OK;
}

static void explain(const search_t *s, atl_plan_t *plan) {
  const atl_plan_request_t *q = s->request;
  const char *stages = q->n_stages > 0       ? "stages as requested"
                       : plan->n_stages == 1 ? "the model fits one rank, so it is replicated"
                       : s->rejected_stages > 0 && s->rejected_stages < plan->n_stages
                           ? "fewer stages need more memory than a rank has"
                           : "fewer stages are predicted to be slower";
  const char *decoders = plan->n_decoders == 0           ? "no decoders"
                         : plan->first_decoder_rank >= 0 ? "decoders have their own ranks"
                                                         : "decoders share the stages' ranks";
  int32_t n_used = plan->first_stage_rank + plan->n_pipelines * plan->n_stages +
                   (plan->first_decoder_rank >= 0 ? plan->n_decoders : 0);
  char idle[48] = "";
  if (n_used < plan->n_ranks) snprintf(idle, sizeof idle, "; ranks without work: %d", (int)(plan->n_ranks - n_used));
  snprintf(plan->reason, sizeof plan->reason, "%s; %s; %s%s; costs are %s", stages, decoders,
           plan->first_stage_rank > 0 ? "the coordinator has its own rank" : "the coordinator shares a rank", idle,
           q->costs.is_measured ? "measured" : "estimated");
}

atl_status_t atl_plan_make(const atl_plan_request_t *request, atl_plan_t *plan) {
  ATL_TRY(check_request(request));
  ATL_TRY(check_ranks(request));
  search_t s = {.request = request, .best_score = INFINITY, .fewest_bytes = INT64_MAX};
  int32_t last = request->n_layers < request->n_ranks ? request->n_layers : request->n_ranks;
  if (request->n_stages > 0) {
    try_stages(&s, request->n_stages);
  } else {
    for (int32_t n_stages = 1; n_stages <= last; n_stages++) try_stages(&s, n_stages);
  }
  ATL_CHECK(s.fewest_bytes < INT64_MAX, INPUT,
            "no layout of %d ranks has %d decoders beside %d pipelines of %d stages (0: automatic); leave out one of "
            "these options",
            (int)request->n_ranks, (int)request->n_decoders, (int)request->n_pipelines, (int)request->n_stages);
  ATL_CHECK(isfinite(s.best_score), MEMORY,
            "a rank needs at least %.1f MiB (with %d stages) and has %.1f MiB; try more ranks, fewer ranks per host, "
            "--dtype bf16, or a smaller --microbatch",
            (double)s.fewest_bytes / (1 << 20), (int)s.fewest_bytes_stages,
            (double)request->memory_per_rank / (1 << 20));
  *plan = s.best;
  explain(&s, plan);
  char why[ATL_PLAN_WHY_BYTES];
  ATL_ASSERT(atl_plan_is_valid(plan, request, why));
  return ATL_OK;
}
