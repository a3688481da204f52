/* Shape: the sizes of a model as text, for plans and for models with random weights: a known name, KEY=VALUE overrides,
 * or both.
 *
 *     atl_shape_t shape;
 *     ATL_TRY(atl_shape_parse("dalle-1024-full,layers=2,clip=1", "tiny", &shape));
 *
 * Names: tiny, dalle-512, dalle-1024-full, dalle-1024-sparse, mindalle-1.3b, dalle-12b (of the paper). Keys: width
 * layers heads head_size (0: width / heads) text text_ids side codes attention (kinds joined by ':', repeated over the
 * layers) rotary shift stable sandwich reversible share vae_layers vae_blocks vae_width codebook clip. A key may be
 * spelled with hyphens: head-size.
 */
#ifndef ATL_MODEL_CHECKPOINT_SHAPE_H
#define ATL_MODEL_CHECKPOINT_SHAPE_H

#include "model/checkpoint/config.h"

typedef struct {
  atl_transformer_config_t transformer;
  atl_vae_config_t vae; /* decodes the transformer's image tokens */
  bool has_clip;
  atl_clip_config_t clip; /* ViT-B/32 */
} atl_shape_t;

/* Overrides without a name apply to the shape named `base`. USAGE: an unknown name or key, or a value that is not an
 * integer or a kind of attention; INPUT: sizes that do not fit each other. */
atl_status_t atl_shape_parse(const char *text, const char *base, atl_shape_t *shape);

#endif
