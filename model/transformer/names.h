/* Names: finds the transformer's tensors under the spellings of different DALLE-pytorch versions.
 *
 * DALLE-pytorch nests the modules of a sublayer, and the number of ".fn" in a tensor's name depends on the version that
 * saved it and on its options. A name in a file is therefore a prefix (layer, attention or feed-forward, reversible or
 * not), any number of ".fn", and a tail that identifies the tensor. A canonical name has no ".fn".
 *
 *     const atl_tensor_t *qkv = atl_names_find(file, "transformer.layers.layers.3.0.to_qkv.weight");
 */
#ifndef ATL_MODEL_TRANSFORMER_NAMES_H
#define ATL_MODEL_TRANSFORMER_NAMES_H

#include "common/safetensors.h"
#include "model/nn/table.h"

typedef enum { ATL_SUBLAYER_ATTENTION, ATL_SUBLAYER_FEED_FORWARD } atl_sublayer_t;

/* Writes "transformer.layers.layers.3.0" or, reversible, "transformer.layers.blocks.3.f.net" to text; returns text. */
const char *atl_names_prefix(bool reversible, int32_t layer, atl_sublayer_t sublayer, char text[ATL_NAME_BYTES]);
/* The tensor of a canonical name, however the file spells it; NULL when absent. Borrowed. */
const atl_tensor_t *atl_names_find(const atl_safetensors_t *file, const char *name);
/* Writes the canonical name to text: without ".fn" inside the transformer's layers, and with image_pos_emb.weights.N
 * for image_pos_emb.weights_N. Returns false when the result does not fit, so that it cannot be one of ours. */
bool atl_names_canonical(const char *name, char text[ATL_NAME_BYTES]);

#endif
