/* Simulate: plays a plan's schedule step by step, without ranks: when which stage computes which slot, when images are
 * decoded, and where the stages' time goes. The plan's own prediction is a formula; this is what it is checked against.
 *
 *     atl_simulation_t simulation;
 *     ATL_TRY(atl_simulate_run(&plan, &request, 0.05, &simulation));
 *     atl_simulate_print(&simulation, stdout);
 *
 * Slots go round in a fixed order, a stage takes them first come first served, a hop takes its seconds, a decoder takes
 * one image at a time. Pipelines only meet at the decoders. Deterministic: the same request gives the same numbers.
 */
#ifndef ATL_PARTITION_SIMULATE_H
#define ATL_PARTITION_SIMULATE_H

#include "partition/plan.h"

/* Shares are of the stages' time, from the first step to the last image; together they make 1. */
typedef struct {
  double seconds, images_per_second;
  double efficiency;      /* share of the stages' time that is work: work, prefill and decode together */
  double rank_efficiency; /* the same of all ranks, those included that decode, coordinate or have nothing to do */
  double first_image;     /* seconds until it is decoded */
  double work, prefill, decode; /* shares: drawing tokens; texts; decoding on the stages' ranks */
  double imbalance;             /* the slowest stage works, others wait */
  double fill;                  /* before a stage's first step and after its last */
  double tail;                  /* drawing is over, decoding is not */
  double slots;                 /* the rest: too few slots in flight, jitter, texts that hold up the line */
  double decoder_load;          /* of decoders with ranks of their own */
  int64_t n_steps;              /* of all stages */
} atl_simulation_t;

/* jitter 0.1: each step takes up to 10 % more or less. INPUT when the job has too many steps to be played. */
atl_status_t atl_simulate_run(const atl_plan_t *plan, const atl_plan_request_t *request, double jitter,
                              atl_simulation_t *simulation);
void atl_simulate_print(const atl_simulation_t *simulation, FILE *out);

#endif
