/* A linear layer of w parameters reads its weights once per microbatch (the fixed part) and takes 2 w FLOPs per row. A
 * row of attention reads the keys and values of its context, T + I/2 positions on average. Sampling makes DRAW_PASSES
 * passes over V_i doubles per candidate. */
#include "partition/cost.h"

enum { DRAW_PASSES = 4 };

static const atl_machine_t defaults = {1, 50e9, 50e9, 10e9, 5e-6, 5e9};

static double or_default(double value, double fallback) { return value > 0 ? value : fallback; }

void atl_cost_estimate(const atl_work_t *w, const atl_machine_t *machine, int32_t microbatch, atl_costs_t *costs) {
  double n_cores = machine->n_cores > 0 ? machine->n_cores : defaults.n_cores;
  double fp32 = n_cores * or_default(machine->flops, defaults.flops);
  double flops = w->is_bf16 ? n_cores * or_default(machine->bf16_flops, fp32 / n_cores) : fp32;
  double bytes = n_cores * or_default(machine->bytes, defaults.bytes), item = w->is_bf16 ? 2 : 4;
  double d = w->width, inner = w->inner_width, rows = (double)microbatch * w->n_streams;
  double layer_weights = 4 * d * inner + 12 * d * d, head_weights = d * w->n_image_tokens;
  double context = w->text_length + 0.5 * w->image_length;
  double attention_row = 4 * inner * context / fp32 + 2 * inner * context * item / bytes;
  *costs = (atl_costs_t){
      .microbatch = microbatch,
      .layer_fixed = layer_weights * item / bytes,
      .head_fixed = head_weights * item / bytes,
      .embed = rows * d * 4 * 2 / bytes,
      .draw = microbatch * (double)w->n_image_tokens * sizeof(double) * DRAW_PASSES / bytes,
      .prefill_row = 2 * layer_weights / flops + 2 * inner * w->text_length / fp32,
      .decode = w->decode_flops / fp32,
      .score = w->score_flops / fp32,
  };
  costs->layer = costs->layer_fixed + rows * (2 * layer_weights / flops + attention_row);
  costs->head = costs->head_fixed + rows * 2 * head_weights / flops;
  costs->hop = or_default(machine->hop_seconds, defaults.hop_seconds) +
               rows * d * w->n_residual * sizeof(float) / or_default(machine->hop_bytes, defaults.hop_bytes);
}
