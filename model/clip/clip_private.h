/* CLIP, inside: the parts that model/clip/clip.c puts together, and how they read their weights. Nobody else includes this.
 *
 *     tower    residual attention blocks, shared by both encoders      clip_tower.c
 *     text     ids -> features                                         clip_text.c
 *     vit      picture -> features, patches through a tower            clip_vit.c
 *     resnet   picture -> features, convolutions and attention pool    clip_resnet.c
 *
 * Features are not normalised here. Each part owns its packed weights and scratch and borrows the file.
 */
#ifndef ATL_MODEL_CLIP_CLIP_PRIVATE_H
#define ATL_MODEL_CLIP_CLIP_PRIVATE_H

#include "model/checkpoint/model.h"
#include "model/clip/tensors.h"
#include "model/kernels/linear/linear.h"

/* Where weights come from. */
typedef struct {
  const atl_weights_t *weights;
  const atl_clip_tensors_t *tensors; /* what `weights` binds */
  atl_dtype_t dtype;                 /* what linear layers and convolutions multiply in: ATL_F32 or ATL_BF16 */
} atl_clip_source_t;

/* A linear layer of weight (n_out,n_in) and bias (n_out). INPUT as atl_weights_bind. Caller owns. */
atl_status_t atl_clip_read_linear(const atl_clip_source_t *source, const atl_clip_pair_t *tensors, int64_t n_out,
                                  int64_t n_in, atl_activation_t activation, atl_linear_t **linear);
/* A projection used as x . P with P(n_in,n_out): the linear layer of P transposed. Caller owns. */
atl_status_t atl_clip_read_projection(const atl_clip_source_t *source, const atl_parameter_t *tensor, int64_t n_in,
                                      int64_t n_out, atl_linear_t **linear);

typedef struct {
  int32_t width, n_heads, n_layers;
  int32_t n_positions; /* of the longest sequence */
  int32_t n_sequences; /* in one call at most */
  bool is_causal;
} atl_clip_tower_spec_t;

typedef struct atl_clip_tower atl_clip_tower_t;

/* Of spec->n_layers blocks. INPUT, MEMORY. Caller owns. */
atl_status_t atl_clip_tower_new(const atl_clip_source_t *source, const atl_clip_block_tensors_t *blocks,
                                const atl_clip_tower_spec_t *spec, atl_clip_tower_t **tower);
void atl_clip_tower_destroy(atl_clip_tower_t **tower);
/* x(n_sequences,n_positions,W) in place, of which only position `wanted` of each sequence is a result. */
void atl_clip_tower_run(atl_clip_tower_t *tower, float *x, int32_t n_sequences, int32_t n_positions, int32_t wanted);
size_t atl_clip_tower_bytes(const atl_clip_tower_t *tower);

/* features(q,E) <- softmax(q k^T E^-1/2) v: what a head does for query rows [first_query, first_query + n_queries)
 * of n_keys, features beginning with the first of them; a causal query i sees keys 0..i. Rows of q, k, v, features are
 * `stride`, `stride`, `stride`, `out_stride` apart. scratch holds atl_clip_attention_items(n_keys, head_size) floats.
 */
typedef struct {
  const float *q, *k, *v;
  int64_t stride;
  float *features;
  int64_t out_stride;
  int32_t first_query, n_queries, n_keys, head_size;
  bool is_causal;
} atl_clip_attention_t;
void atl_clip_attend(const atl_clip_attention_t *head, float *scratch);
size_t atl_clip_attention_items(int32_t n_keys, int32_t head_size);

typedef struct atl_clip_text atl_clip_text_t;
atl_status_t atl_clip_text_new(const atl_clip_source_t *source, const atl_clip_config_t *config,
                               atl_clip_text_t **text);
void atl_clip_text_destroy(atl_clip_text_t **text);
/* features(E) <- ids(context), all below the vocabulary. */
void atl_clip_text_run(atl_clip_text_t *text, float *features, const int32_t *ids);
size_t atl_clip_text_bytes(const atl_clip_text_t *text);

typedef struct atl_clip_vit atl_clip_vit_t;
atl_status_t atl_clip_vit_new(const atl_clip_source_t *source, const atl_clip_config_t *config, atl_clip_vit_t **vit);
void atl_clip_vit_destroy(atl_clip_vit_t **vit);
/* features(n,E) <- images(n,3,size,size). */
void atl_clip_vit_run(atl_clip_vit_t *vit, float *features, const float *images, int32_t n);
size_t atl_clip_vit_bytes(const atl_clip_vit_t *vit);
int64_t atl_clip_vit_scratch_items(const atl_clip_config_t *config); /* floats that pictures are computed in */

typedef struct atl_clip_resnet atl_clip_resnet_t;
atl_status_t atl_clip_resnet_new(const atl_clip_source_t *source, const atl_clip_config_t *config,
                                 atl_clip_resnet_t **resnet);
void atl_clip_resnet_destroy(atl_clip_resnet_t **resnet);
void atl_clip_resnet_run(atl_clip_resnet_t *resnet, float *features, const float *images, int32_t n);
size_t atl_clip_resnet_bytes(const atl_clip_resnet_t *resnet);
int64_t atl_clip_resnet_scratch_items(const atl_clip_config_t *config);

#endif
