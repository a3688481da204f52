#include "model/checkpoint/parts.h"

#include "model/checkpoint/config.h"
#include "model/clip/tensors.h"
#include "model/transformer/tensors.h"
#include "model/vae/dvae_tensors.h"

static const struct {
  const char *name;
  const atl_table_t *table;
} part_tables[ATL_N_PARTS] = {
    {"transformer", &atl_transformer_table}, {"vae", &atl_dvae_table}, {"clip", &atl_clip_table}};

const char *atl_part_name(atl_part_t part) { return part_tables[part].name; }

const atl_table_t *atl_part_table(atl_part_t part) { return part_tables[part].table; }

atl_status_t atl_part_config_to_json(atl_part_t part, const void *config, json_t **object) {
  if (part == ATL_PART_TRANSFORMER) return atl_transformer_config_to_json(config, object);
  if (part == ATL_PART_VAE) return atl_vae_config_to_json(config, object);
  return atl_clip_config_to_json(config, object);
}
