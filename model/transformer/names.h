/* Names: how DALLE-pytorch's checkpoints spell the transformer's tensors.
 *
 * A sublayer's modules are wrapped in each other, and the number of ".fn" in a name depends on the version that saved
 * it and on its options. A file's name is therefore its prefix (layer, attention or feed-forward, reversible or not),
 * any run of ".fn", and a tail that says which tensor it is. A canonical name has no ".fn".
 *
 *     const atl_tensor_t *qkv = atl_names_find(file, "transformer.layers.layers.3.0.to_qkv.weight");
 */
#ifndef ATL_MODEL_TRANSFORMER_NAMES_H
#define ATL_MODEL_TRANSFORMER_NAMES_H

#include "common/safetensors.h"
#include "model/nn/table.h"

typedef enum { ATL_SUBLAYER_ATTENTION, ATL_SUBLAYER_FEED_FORWARD } atl_sublayer_t;

/* "transformer.layers.layers.3.0" or "transformer.layers.blocks.3.f.net" into text; returns text. */
const char *atl_names_prefix(bool reversible, int32_t layer, atl_sublayer_t sublayer, char text[ATL_NAME_BYTES]);
/* The tensor of a canonical name, however the file spells it. NULL when absent. */
const atl_tensor_t *atl_names_find(const atl_safetensors_t *file, const char *name);
/* The name without what differs between versions: runs of ".fn" inside the transformer's layers are dropped, and
 * image_pos_emb.weights_N becomes .weights.N. False when it is too long to be one of ours. */
bool atl_names_canonical(const char *name, char text[ATL_NAME_BYTES]);

#endif
