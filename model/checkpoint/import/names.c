/* The run of ".fn" is tried from none to MAX_WRAPPERS, which is more than any version has. */
#include "model/checkpoint/import/names.h"

#include <stdio.h>
#include <string.h>

enum { MAX_WRAPPERS = 8 };

const char *atl_names_prefix(bool reversible, int32_t layer, atl_sublayer_t sublayer, char text[ATL_NAME_BYTES]) {
  bool is_attention = sublayer == ATL_SUBLAYER_ATTENTION;
  if (reversible)
    snprintf(text, ATL_NAME_BYTES, "transformer.layers.blocks.%d.%s.net", layer, is_attention ? "f" : "g");
  else
    snprintf(text, ATL_NAME_BYTES, "transformer.layers.layers.%d.%d", layer, is_attention ? 0 : 1);
  return text;
}

const atl_tensor_t *atl_names_find(const atl_safetensors_t *file, const atl_transformer_config_t *config, int32_t layer,
                                   atl_sublayer_t sublayer, const char *tail) {
  char prefix[ATL_NAME_BYTES], name[2 * ATL_NAME_BYTES], wrappers[3 * MAX_WRAPPERS + 1] = "";
  atl_names_prefix(config->reversible, layer, sublayer, prefix);
  for (int n = 0; n <= MAX_WRAPPERS; n++) {
    snprintf(name, sizeof name, "%s%s.%s", prefix, wrappers, tail);
    const atl_tensor_t *tensor = atl_safetensors_find(file, name);
    if (tensor != NULL) return tensor;
    if (n < MAX_WRAPPERS) snprintf(wrappers + 3 * n, sizeof wrappers - 3 * (size_t)n, ".fn");
  }
  return NULL;
}

bool atl_names_canonical(const char *name, char text[ATL_NAME_BYTES]) {
  static const char axial[] = "image_pos_emb.weights_";
  bool is_layer = strncmp(name, "transformer.layers.", 19) == 0;
  size_t n = 0;
  for (const char *next = name; *next != '\0';) {
    if (is_layer && strncmp(next, ".fn", 3) == 0 && (next[3] == '.' || next[3] == '\0')) {
      next += 3;
      continue;
    }
    if (n + 1 >= ATL_NAME_BYTES) return false;
    text[n++] = *next++;
  }
  text[n] = '\0';
  if (strncmp(text, axial, sizeof axial - 1) == 0) text[sizeof axial - 2] = '.';
  return true;
}

const atl_tensor_t *atl_names_find_axial(const atl_safetensors_t *file, int axis) {
  char name[ATL_NAME_BYTES];
  snprintf(name, sizeof name, "image_pos_emb.weights.%d", axis);
  const atl_tensor_t *tensor = atl_safetensors_find(file, name);
  if (tensor != NULL) return tensor;
  snprintf(name, sizeof name, "image_pos_emb.weights_%d", axis);
  return atl_safetensors_find(file, name);
}
