/* The transformer's weights struct, to which tensors are bound while a part of the transformer is built, and its tensor
 * table (model/nn/table.h).
 *
 *     atl_transformer_source_t source;
 *     ATL_TRY(atl_transformer_source_open(model, &source));
 *     ATL_TRY(ATL_WEIGHTS_BIND(&source.weights, &arena, source.tensors.norm));
 *     atl_transformer_source_close(&source);
 */
#ifndef ATL_MODEL_TRANSFORMER_TENSORS_H
#define ATL_MODEL_TRANSFORMER_TENSORS_H

#include "model/checkpoint/model.h"
#include "model/nn/weights.h"

/* A sublayer. Comments give attention's tensor name first, then feed-forward's. */
typedef struct {
  struct {
    atl_parameter_t norm_weight, norm_bias;         /* norm.* (D) */
    atl_parameter_t scale;                          /* scale (1,1,D): LayerScale */
    atl_parameter_t norm_out_weight, norm_out_bias; /* norm_out.* (D), with sandwich_norm */
  } vectors;
  struct {                      /* bound in the layer that owns them */
    atl_parameter_t in_weight;  /* to_qkv.weight (3*H*E,D); net.0.weight (8D,D) */
    atl_parameter_t in_bias;    /* none; net.0.bias (8D) */
    atl_parameter_t out_weight; /* to_out.0.weight (D,H*E); net.3.weight (D,4D) */
    atl_parameter_t out_bias;   /* to_out.0.bias (D); net.3.bias (D) */
  } linears;
} atl_sublayer_tensors_t;

typedef struct {
  atl_sublayer_tensors_t attention, feed_forward;
} atl_layer_tensors_t;

typedef struct {
  struct {
    atl_parameter_t text;  /* text_emb.weight (V_T,D); none with share_embeddings */
    atl_parameter_t image; /* image_emb.weight (V_i,D) */
  } tokens;
  struct {
    atl_parameter_t text;    /* text_pos_emb.weight (T+1,D); none with rotary */
    atl_parameter_t rows;    /* image_pos_emb.weights.0 (1,f,1,D) */
    atl_parameter_t columns; /* image_pos_emb.weights.1 (1,1,f,D) */
  } positions;
  atl_parameter_t angles;      /* transformer.pos_emb (1,T+1+I,R), with rotary */
  atl_layer_tensors_t *layers; /* (L) */
  struct {
    atl_parameter_t weight, bias; /* to_logits.0 (D) */
  } norm;
  struct {
    atl_parameter_t weight, bias; /* to_logits.1 (V,D) and (V) */
  } logits;
} atl_transformer_tensors_t;

extern const atl_table_t atl_transformer_table; /* atl_transformer_tensors_t, under atl_transformer_config_t */

/* The source of the weights of embedding, layers and head. */
typedef struct {
  const atl_transformer_config_t *config;
  atl_weights_t weights;
  atl_transformer_tensors_t tensors;
} atl_transformer_source_t;

/* MEMORY. Borrows the model until close. Caller closes, also after a failure. */
atl_status_t atl_transformer_source_open(const atl_model_t *model, atl_transformer_source_t *source);
void atl_transformer_source_close(atl_transformer_source_t *source);

#endif
