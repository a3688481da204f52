/* Parts: the networks that a model directory may hold, with the name, tensor table and configuration of each. */
#ifndef ATL_MODEL_CHECKPOINT_PARTS_H
#define ATL_MODEL_CHECKPOINT_PARTS_H

#include "common/json.h"
#include "model/nn/table.h"

typedef enum { ATL_PART_TRANSFORMER, ATL_PART_VAE, ATL_PART_CLIP, ATL_N_PARTS } atl_part_t;

const char *atl_part_name(atl_part_t part); /* "transformer", "vae" or "clip", as in model.json */
const atl_table_t *atl_part_table(atl_part_t part);
/* The part's configuration as its object in model.json. MEMORY. Caller owns. */
atl_status_t atl_part_config_to_json(atl_part_t part, const void *config, json_t **object);

#endif
