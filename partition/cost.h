/* Cost: estimates the costs that a plan is made from, from FLOPs and bytes, when none were measured. The model's work
 * is given as plain sizes; callers fill them in from its configuration.
 *
 *     atl_work_t work = {.width = 512, .inner_width = 512, ...};
 *     atl_costs_t costs;
 *     atl_cost_estimate(&work, &(atl_machine_t){.n_cores = 4}, 32, &costs);
 *
 * Pure. An estimate is right within a factor of about two; a plan depends on the ratios, which are more accurate.
 */
#ifndef ATL_PARTITION_COST_H
#define ATL_PARTITION_COST_H

#include "partition/plan.h"

/* Speed of a rank's share of a machine; 0: the default given here. */
typedef struct {
  int32_t n_cores;    /* of a rank; default 1 */
  double flops;       /* FLOP/s of a core in fp32 linear layers; default 50e9 */
  double bf16_flops;  /* FLOP/s of a core in bf16; default as flops */
  double bytes;       /* bytes/s that a core reads from memory; default 10e9 */
  double hop_seconds; /* latency of a message; default 5e-6 */
  double hop_bytes;   /* bytes/s of a message; default 5e9 */
} atl_machine_t;

typedef struct {
  int32_t width;                     /* D */
  int32_t inner_width;               /* H E */
  int32_t n_residual;                /* copies of the residual stream: 2 when reversible, else 1 */
  int32_t text_length, image_length; /* T, I */
  int32_t n_image_tokens;            /* V_i, the head's outputs */
  int32_t n_streams;                 /* rows per candidate: 2 with guidance, else 1 */
  bool is_bf16;
  double decode_flops, score_flops; /* of one image; 0: not done */
} atl_work_t;

/* *costs <- estimates for microbatches of `microbatch` candidates. */
void atl_cost_estimate(const atl_work_t *work, const atl_machine_t *machine, int32_t microbatch, atl_costs_t *costs);

#endif
