/* Roofline: how long a step of drawing must take at least on a machine that reads and multiplies so fast. Pure
 * arithmetic on a model's sizes; what `atelier bench` holds measured times against.
 *
 *     atl_roof_t roof = {.flops = 470e9, .bytes = 41e9};
 *     atl_roofline_part_t part = {.end_layer = c->n_layers, .has_head = true, .n_samples = 32};
 *     part.dtype = part.kv = ATL_BF16;
 *     atl_bound_t step = atl_roofline_image(&roof, c, &part);   -- 32 / step.seconds tokens a second at most
 *
 * A microbatch is n_samples candidates of one prompt, one token each. What is read comes from memory: weights once a
 * step (shared ones by the first layer that has them), text keys and values once a step, of the image what each sample
 * sees, and what it draws is not written. A model that fits into caches may pass the bound.
 */
#ifndef ATL_MODEL_PERF_ROOFLINE_H
#define ATL_MODEL_PERF_ROOFLINE_H

#include "common/tensor.h"
#include "model/checkpoint/config.h"

/* A machine's ceilings for a dtype, a second. */
typedef struct {
  double flops, bytes;
} atl_roof_t;

/* At least what has to be done, and at least how long it takes. */
typedef struct {
  double flops, bytes;
  double seconds;           /* the larger of all arithmetic and all reading: the two overlap perfectly */
  double by_kernel_seconds; /* the same of each kernel, added up: they overlap within a kernel only */
} atl_bound_t;

typedef struct {
  int32_t first_layer, end_layer; /* half open */
  bool has_head;                  /* with the image logits */
  int32_t n_samples;
  atl_dtype_t dtype, kv; /* of the weights and the cache's text part; of its image part */
} atl_roofline_part_t;

/* One kernel. */
atl_bound_t atl_roofline_kernel(const atl_roof_t *roof, double flops, double bytes);
/* The attention of a layer of a kind, at an image position. */
atl_bound_t atl_roofline_attention(const atl_roof_t *roof, const atl_transformer_config_t *config, atl_attention_t kind,
                                   const atl_roofline_part_t *part, int32_t place);
/* A step at an image position: each layer's four linears and attention, and the head's. */
atl_bound_t atl_roofline_step(const atl_roof_t *roof, const atl_transformer_config_t *config,
                              const atl_roofline_part_t *part, int32_t place);
/* The mean step of a whole image: every position once. */
atl_bound_t atl_roofline_image(const atl_roof_t *roof, const atl_transformer_config_t *config,
                               const atl_roofline_part_t *part);

#endif
