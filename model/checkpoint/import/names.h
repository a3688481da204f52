/* Names: how DALLE-pytorch's checkpoints spell the transformer's tensors.
 *
 * A sublayer's modules are wrapped in each other, and the number of ".fn" in a name depends on the version that saved
 * it and on its options. A name is therefore its prefix (layer, attention or feed-forward, reversible or not), any run
 * of
 * ".fn", and a tail that says which tensor it is.
 *
 *     const atl_tensor_t *qkv;
 *     qkv = atl_names_find(file, config, i_layer, ATL_SUBLAYER_ATTENTION, "to_qkv.weight");   -- NULL when there is
 * none
 */
#ifndef ATL_MODEL_CHECKPOINT_IMPORT_NAMES_H
#define ATL_MODEL_CHECKPOINT_IMPORT_NAMES_H

#include "common/safetensors.h"
#include "model/checkpoint/config.h"

typedef enum { ATL_SUBLAYER_ATTENTION, ATL_SUBLAYER_FEED_FORWARD } atl_sublayer_t;

enum { ATL_NAME_BYTES = 128 };

/* "transformer.layers.layers.3.0" or "transformer.layers.blocks.3.f.net" into text; returns text. */
const char *atl_names_prefix(bool reversible, int32_t layer, atl_sublayer_t sublayer, char text[ATL_NAME_BYTES]);
/* The tensor of a sublayer under a tail: "scale", "norm.weight", "norm_out.weight", "to_qkv.weight", "to_out.0.bias",
 * "net.0.weight", "net.3.bias", ... `layer` is taken as it is: the caller applies attention_owner. NULL when absent. */
const atl_tensor_t *atl_names_find(const atl_safetensors_t *file, const atl_transformer_config_t *config, int32_t layer,
                                   atl_sublayer_t sublayer, const char *tail);
/* The name without what differs between versions: runs of ".fn" inside the transformer's layers are dropped, and
 * image_pos_emb.weights_N becomes .weights.N. False when it is too long to be one of ours. */
bool atl_names_canonical(const char *name, char text[ATL_NAME_BYTES]);
/* The learned image positions of an axis (0 row, 1 column), in either spelling; NULL when absent. */
const atl_tensor_t *atl_names_find_axial(const atl_safetensors_t *file, int axis);

#endif
