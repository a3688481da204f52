/* Cost: the seconds that a plan is made from, estimated from FLOPs and bytes when nothing was measured. Knows the work
 * of a model as plain numbers; whoever has its configuration fills them in.
 *
 *     atl_work_t work = {.width = 512, .inner_width = 512, ...};
 *     atl_costs_t costs;
 *     atl_cost_estimate(&work, &(atl_machine_t){.n_cores = 4}, 32, &costs);
 *
 * Pure. An estimate is right within a factor of two or so; the plan needs the ratios, which are better than that.
 */
#ifndef ATL_PARTITION_COST_H
#define ATL_PARTITION_COST_H

#include "partition/plan.h"

/* What a rank's share of a machine can do; 0: the default. */
typedef struct {
  int32_t n_cores;    /* of a rank; 1 */
  double flops;       /* a core, fp32, in linear layers: 50e9 */
  double bf16_flops;  /* a core, bf16: as flops */
  double bytes;       /* a core reads from memory in a second: 10e9 */
  double hop_seconds; /* a message's latency: 5e-6 */
  double hop_bytes;   /* a message moves in a second: 5e9 */
} atl_machine_t;

typedef struct {
  int32_t width;                     /* D */
  int32_t inner_width;               /* H E */
  int32_t n_residual;                /* copies of the residual stream: 2 when reversible, else 1 */
  int32_t text_length, image_length; /* T, I */
  int32_t n_image_tokens;            /* V_i, what the head scores */
  int32_t n_streams;                 /* rows a candidate has: 2 with guidance, else 1 */
  bool is_bf16;
  double decode_flops, score_flops; /* of one image; 0: not done */
} atl_work_t;

/* Costs of a microbatch of `microbatch` candidates. */
void atl_cost_estimate(const atl_work_t *work, const atl_machine_t *machine, int32_t microbatch, atl_costs_t *costs);

#endif
