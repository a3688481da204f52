/* Roofline: the least time that a step of drawing can take on a machine with given ceilings. Pure arithmetic on a
 * model's sizes; `atelier bench` compares measured times with it.
 *
 *     atl_roof_t roof = {.flops = 470e9, .bytes = 41e9};
 *     atl_roofline_part_t part = {.end_layer = c->n_layers, .has_head = true, .n_samples = 32};
 *     part.dtype = part.kv = ATL_BF16;
 *     atl_bound_t step = atl_roofline_image(&roof, c, &part);   -- 32 / step.seconds tokens/s at most
 *
 * A microbatch is n_samples candidates of one prompt, one image token each. All reads count as reads from memory:
 * weights once per step (shared ones in the first layer that has them), text keys and values once per step, and the
 * image keys and values that each sample sees. Writing the new keys and values is not counted. A model that fits into
 * caches may exceed the bound.
 *
 * A position is that of an image token, 0..I-1. */
#ifndef ATL_MODEL_PERF_ROOFLINE_H
#define ATL_MODEL_PERF_ROOFLINE_H

#include "common/tensor.h"
#include "model/checkpoint/config.h"

/* A machine's ceilings for a dtype: FLOP/s and bytes/s. */
typedef struct {
  double flops, bytes;
} atl_roof_t;

/* The work that cannot be avoided, and the least time it takes. */
typedef struct {
  double flops, bytes;
  double seconds;           /* the larger of all arithmetic and all reading, as if they overlapped perfectly */
  double by_kernel_seconds; /* that bound of each kernel, added up: they overlap only within a kernel */
} atl_bound_t;

typedef struct {
  int32_t first_layer, end_layer; /* half open */
  bool has_head;                  /* includes the image logits */
  int32_t n_samples;
  atl_dtype_t dtype, kv; /* of the weights and the text part of the cache; of its image part */
} atl_roofline_part_t;

/* Bound of one kernel. */
atl_bound_t atl_roofline_kernel(const atl_roof_t *roof, double flops, double bytes);
/* Bound of one layer's attention of a kind, at an image position. */
atl_bound_t atl_roofline_attention(const atl_roof_t *roof, const atl_transformer_config_t *config,
                                   atl_attention_kind_t kind, const atl_roofline_part_t *part, int32_t position);
/* Bound of a step at an image position: each layer's four linear layers and attention, and the head. */
atl_bound_t atl_roofline_step(const atl_roof_t *roof, const atl_transformer_config_t *config,
                              const atl_roofline_part_t *part, int32_t position);
/* Mean bound of a step over all positions of an image. */
atl_bound_t atl_roofline_image(const atl_roof_t *roof, const atl_transformer_config_t *config,
                               const atl_roofline_part_t *part);

#endif
