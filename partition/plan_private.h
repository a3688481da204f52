/* Plan's inside, shared by its sources (plan.c decides, plan_predict.c computes, plan_text.c prints and reads). */
#ifndef ATL_PARTITION_PLAN_PRIVATE_H
#define ATL_PARTITION_PLAN_PRIVATE_H

#include "partition/plan.h"

enum {
  ATL_PLAN_MAX_SLOTS = 4096,       /* the largest that may be asked for */
  ATL_PLAN_MAX_MICROBATCH = 65536, /* likewise */
  /* of text stores: a candidate in flight each, and the null text */
  ATL_PLAN_MAX_PREFIXES = ATL_PLAN_MAX_SLOTS * ATL_PLAN_MAX_MICROBATCH + 1,
  ATL_PLAN_SPARE_BUFFERS = 2,        /* packets a hop has beside its slots: prefills */
  ATL_PLAN_LARGE_CACHE = 8 << 20,    /* bytes of a layer's cache from which its keys and its values are large blocks */
  ATL_PLAN_CACHE_ROUNDING = 2 << 20, /* which are rounded up to huge pages: half of one each on average */
};

/* Seconds of n_layers with what the ends carry, for a microbatch of b candidates. */
double atl_plan_span_seconds(const atl_plan_request_t *q, int32_t n_layers, bool is_first, bool is_last, int32_t b);
/* The slowest stage, and the whole round with hops. */
void atl_plan_round(const atl_plan_t *plan, const atl_plan_request_t *q, int32_t b, double *slowest, double *sum);
/* Text stores: as many prompts as candidates are in flight at worst, and the null text. */
int32_t atl_plan_count_prefixes(const atl_plan_t *plan, const atl_plan_request_t *q);
int64_t atl_plan_fullest_rank(const atl_plan_t *plan, const atl_plan_request_t *q);

/* "0.195 s", "3 min 05 s"; "41.2", "2623". Return text. */
const char *atl_plan_format_seconds(double seconds, char text[32]);
const char *atl_plan_format_rate(double rate, char text[32]);

#endif
