/* The invariants of a plan. atl_plan_make asserts them; readers of plans check them. */
#include <stdarg.h>
#include <stdio.h>

#include "partition/plan_private.h"

static bool refuse(char why[ATL_PLAN_WHY_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(char why[ATL_PLAN_WHY_BYTES], const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, ATL_PLAN_WHY_BYTES, format, arguments);
  va_end(arguments);
  return false;
}

static bool is_within(int32_t value, int32_t min, int32_t max, const char *name, char why[ATL_PLAN_WHY_BYTES]) {
  return (value >= min && value <= max) ||
         refuse(why, "%s: expected %d to %d, found %d", name, (int)min, (int)max, (int)value);
}

static bool has_valid_counts(const atl_plan_t *p, char why[ATL_PLAN_WHY_BYTES]) {
  return is_within(p->n_ranks, 1, ATL_MAX_RANKS, "ranks", why) &&
         is_within(p->n_pipelines, 1, ATL_MAX_RANKS, "pipelines", why) &&
         is_within(p->n_stages, 1, ATL_MAX_STAGES, "stages", why) &&
         is_within(p->n_decoders, 0, ATL_MAX_RANKS, "decoders", why) &&
         is_within(p->n_slots, 1, ATL_PLAN_MAX_SLOTS, "slots", why) &&
         is_within(p->microbatch, 1, ATL_PLAN_MAX_MICROBATCH, "microbatch", why) &&
         is_within(p->n_prefixes, 1, ATL_PLAN_MAX_PREFIXES, "prefixes", why) &&
         is_within(p->coordinator_rank, 0, 0, "coordinator_rank", why) &&
         is_within(p->first_stage_rank, 0, 1, "first_stage_rank", why) &&
         is_within(p->first_decoder_rank, -1, ATL_MAX_RANKS - 1, "first_decoder_rank", why);
}

static bool has_valid_layers(const atl_plan_t *p, char why[ATL_PLAN_WHY_BYTES]) {
  if (p->first_layer[0] != 0) return refuse(why, "first_layer[0]: expected 0, found %d", (int)p->first_layer[0]);
  for (int32_t s = 0; s < p->n_stages; s++)
    if (p->first_layer[s + 1] <= p->first_layer[s] || p->first_layer[s + 1] > ATL_MAX_STAGES)
      return refuse(why, "first_layer[%d]: expected %d to %d (no stage is empty), found %d", (int)s + 1,
                    (int)p->first_layer[s] + 1, ATL_MAX_STAGES, (int)p->first_layer[s + 1]);
  return true;
}

/* All roles are on existing ranks, with at most one stage and one decoder per rank. */
static bool has_valid_roles(const atl_plan_t *p, char why[ATL_PLAN_WHY_BYTES]) {
  int64_t n_stages = (int64_t)p->n_pipelines * p->n_stages, end = p->first_stage_rank + n_stages;
  if (end > p->n_ranks)
    return refuse(why, "%d pipelines of %d stages from rank %d do not fit %d ranks", (int)p->n_pipelines,
                  (int)p->n_stages, (int)p->first_stage_rank, (int)p->n_ranks);
  if (p->first_decoder_rank < 0)
    return p->n_decoders <= n_stages ||
           refuse(why, "%d decoders do not fit %lld stage ranks", (int)p->n_decoders, (long long)n_stages);
  bool has_ranks =
      p->n_decoders > 0 && p->first_decoder_rank >= end && (int64_t)p->first_decoder_rank + p->n_decoders <= p->n_ranks;
  return has_ranks || refuse(why, "%d decoders from rank %d do not fit ranks %lld to %d", (int)p->n_decoders,
                             (int)p->first_decoder_rank, (long long)end, (int)p->n_ranks - 1);
}

static bool suits(const atl_plan_t *p, const atl_plan_request_t *q, char why[ATL_PLAN_WHY_BYTES]) {
  if (p->n_ranks != q->n_ranks)
    return refuse(why, "the plan is for %d ranks, there are %d; make one with `atelier plan --ranks %d`",
                  (int)p->n_ranks, (int)q->n_ranks, (int)q->n_ranks);
  if (p->first_layer[p->n_stages] != q->n_layers)
    return refuse(why, "the plan is for %d layers, the model has %d", (int)p->first_layer[p->n_stages],
                  (int)q->n_layers);
  if ((p->n_decoders > 0) != q->has_decoders)
    return refuse(why, "the plan has %d decoders, this job needs %s", (int)p->n_decoders,
                  q->has_decoders ? "at least one" : "none");
  int32_t n_prefixes = atl_plan_count_prefixes(p, q);
  return p->n_prefixes >= n_prefixes ||
         refuse(why, "the plan has %d text stores, this job may need %d at once", (int)p->n_prefixes, (int)n_prefixes);
}

bool atl_plan_is_valid(const atl_plan_t *plan, const atl_plan_request_t *request, char why[ATL_PLAN_WHY_BYTES]) {
  why[0] = '\0';
  return has_valid_counts(plan, why) && has_valid_layers(plan, why) && has_valid_roles(plan, why) &&
         (request == NULL || suits(plan, request, why));
}
