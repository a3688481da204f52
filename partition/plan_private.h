/* Plan's internals, shared by its sources: plan.c decides, plan_predict.c computes seconds and bytes, plan_valid.c
 * checks, plan_text.c prints and reads. partition/simulate uses them too. */
#ifndef ATL_PARTITION_PLAN_PRIVATE_H
#define ATL_PARTITION_PLAN_PRIVATE_H

#include "partition/plan.h"

enum {
  ATL_PLAN_MAX_SLOTS = 4096,       /* largest number of slots a request may set */
  ATL_PLAN_MAX_MICROBATCH = 65536, /* largest microbatch a request may set */
  /* text stores: one per candidate in flight, and the null text */
  ATL_PLAN_MAX_PREFIXES = ATL_PLAN_MAX_SLOTS * ATL_PLAN_MAX_MICROBATCH + 1,
  ATL_PLAN_SPARE_BUFFERS = 2, /* packet buffers of a hop beyond one per slot, for prefill */
  /* A layer's cache of at least LARGE_CACHE bytes has keys and values in blocks rounded up to huge pages;
   * CACHE_ROUNDING is what that adds: half a huge page for each of the two, on average. */
  ATL_PLAN_LARGE_CACHE = 8 << 20,
  ATL_PLAN_CACHE_ROUNDING = 2 << 20,
};

/* Seconds of one step of a stage with n_layers, for b candidates; the first stage embeds, the last has head and
 * sampler. */
double atl_plan_span_seconds(const atl_plan_request_t *q, int32_t n_layers, bool is_first, bool is_last, int32_t b);
/* *slowest <- seconds of the slowest stage; *sum <- seconds of all stages and hops, one round of a slot. */
void atl_plan_round(const atl_plan_t *plan, const atl_plan_request_t *q, int32_t b, double *slowest, double *sum);
/* Number of text stores: one for each prompt, at most one for each candidate in flight, and one for the null text. */
int32_t atl_plan_count_prefixes(const atl_plan_t *plan, const atl_plan_request_t *q);
/* Bytes of the fullest rank. */
int64_t atl_plan_fullest_rank(const atl_plan_t *plan, const atl_plan_request_t *q);

/* Format like "0.195 s" or "3 min 05 s", and like "41.2" or "2623". Return text. */
const char *atl_plan_format_seconds(double seconds, char text[32]);
const char *atl_plan_format_rate(double rate, char text[32]);

#endif
