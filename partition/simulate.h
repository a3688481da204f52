/* Simulate: simulates a plan's schedule step by step, without ranks: when each stage computes each slot, when images
 * are decoded, and where the stages' time goes. Tests compare the plan's prediction, a formula, with it.
 *
 *     atl_simulation_t simulation;
 *     ATL_TRY(atl_simulate_run(&plan, &request, 0.05, &simulation));
 *     atl_simulate_print(&simulation, stdout);
 *
 * Slots pass the stages in a fixed order, a hop takes its seconds, and a decoder decodes one image at a time. Pipelines
 * share nothing but decoders. Deterministic: the same request gives the same result. All functions are local.
 */
#ifndef ATL_PARTITION_SIMULATE_H
#define ATL_PARTITION_SIMULATE_H

#include "partition/plan.h"

/* Shares are of the stages' time from the start to the last image. work, prefill, decode, imbalance, fill, tail and
 * slots add up to 1. */
typedef struct {
  double seconds, images_per_second;
  double efficiency;            /* share of the stages' time with work: work + prefill + decode */
  double rank_efficiency;       /* the same for all ranks, including decoders, the coordinator and idle ranks */
  double first_image;           /* seconds until the first image is decoded */
  double work, prefill, decode; /* shares: drawing tokens; prefill of texts; decoding on the stages' ranks */
  double imbalance;             /* share: waiting for the slowest stage */
  double fill;                  /* share: before a stage's first step and after its last (fill and drain) */
  double tail;                  /* share: drawing is over, decoding is not */
  double slots;                 /* share: the rest: too few slots, jitter, delays by prefill */
  double decoder_load;          /* share of time that decoders with their own ranks are busy; 0: there are none */
  int64_t n_steps;              /* summed over all stages */
} atl_simulation_t;

/* jitter 0.1: each step's time varies by up to 10 % either way. INPUT when the job has more than 2e9 steps per
 * pipeline; MEMORY. */
atl_status_t atl_simulate_run(const atl_plan_t *plan, const atl_plan_request_t *request, double jitter,
                              atl_simulation_t *simulation);
/* Prints the result in five lines at most. */
void atl_simulate_print(const atl_simulation_t *simulation, FILE *out);

#endif
