/* CLIP's weights struct, to which tensors are bound while it is built, and its tensor table (model/nn/table.h). Letters
 * in addition to docs/model.md's: W width of a tower, E_J width of the joint space, p side of a patch, g side of the
 * grid of patches. */
#ifndef ATL_MODEL_CLIP_TENSORS_H
#define ATL_MODEL_CLIP_TENSORS_H

#include "model/nn/weights.h"

/* A norm or a linear layer. */
typedef struct {
  atl_parameter_t weight, bias;
} atl_clip_pair_t;

/* A block of a tower: transformer.resblocks.i or visual.transformer.resblocks.i. */
typedef struct {
  struct {
    atl_clip_pair_t ln_1, ln_2; /* (W) */
  } norms;
  atl_clip_pair_t qkv;  /* attn.in_proj_weight (3W,W), attn.in_proj_bias */
  atl_clip_pair_t out;  /* attn.out_proj (W,W) */
  atl_clip_pair_t up;   /* mlp.c_fc (4W,W) */
  atl_clip_pair_t down; /* mlp.c_proj (W,4W) */
} atl_clip_block_tensors_t;

/* A convolution without bias and the batch norm after it. */
typedef struct {
  atl_parameter_t conv;                                    /* (O,I,k,k) */
  atl_parameter_t weight, bias, running_mean, running_var; /* (O) */
} atl_clip_conv_tensors_t;

/* visual.layerS.i */
typedef struct {
  atl_clip_conv_tensors_t conv1, conv2, conv3; /* convN.weight, bnN.*: 1x1, 3x3, 1x1 */
  atl_clip_conv_tensors_t shortcut;            /* downsample.0.weight, downsample.1.*: 1x1, in a stage's first block */
} atl_clip_bottleneck_tensors_t;

typedef struct {
  struct {
    struct {
      atl_parameter_t class_token;     /* visual.class_embedding (W) */
      atl_parameter_t positions;       /* visual.positional_embedding (g*g+1,W) */
      atl_clip_pair_t ln_pre, ln_post; /* visual.ln_pre, visual.ln_post (W) */
    } vectors;
    atl_parameter_t patches;          /* visual.conv1.weight (W,3,p,p) */
    atl_clip_block_tensors_t *blocks; /* (vision_layers) */
    atl_parameter_t projection;       /* visual.proj (W,E_J) */
  } vit;
  struct {
    atl_clip_conv_tensors_t stem[3];       /* visual.conv1..3, visual.bn1..3 */
    atl_clip_bottleneck_tensors_t *blocks; /* (vision_blocks[0] + ... + [3]) of the four stages in order */
    atl_parameter_t positions;             /* visual.attnpool.positional_embedding (g*g+1,W) */
    atl_clip_pair_t k, q, v;               /* visual.attnpool.{k,q,v}_proj (W,W) */
    atl_clip_pair_t project;               /* visual.attnpool.c_proj (E_J,W) */
  } resnet;
  struct {
    struct {
      atl_parameter_t tokens;    /* token_embedding.weight (V,W) */
      atl_parameter_t positions; /* positional_embedding (T,W) */
      atl_clip_pair_t ln_final;  /* ln_final (W) */
    } vectors;
    atl_clip_block_tensors_t *blocks; /* (text_layers) */
    atl_parameter_t projection;       /* text_projection (W,E_J) */
  } text;
  atl_parameter_t logit_scale; /* scalar */
} atl_clip_tensors_t;

extern const atl_table_t atl_clip_table; /* atl_clip_tensors_t, under atl_clip_config_t */

#endif
