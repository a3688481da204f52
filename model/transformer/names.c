/* A lookup tries 0 to MAX_WRAPPERS times ".fn"; no version has as many. */
#include "model/transformer/names.h"

#include <stdio.h>
#include <string.h>

enum { MAX_WRAPPERS = 8 };
static const char axial_tables[] = "image_pos_emb.weights.";

const char *atl_names_prefix(bool reversible, int32_t layer, atl_sublayer_t sublayer, char text[ATL_NAME_BYTES]) {
  bool is_attention = sublayer == ATL_SUBLAYER_ATTENTION;
  if (reversible)
    snprintf(text, ATL_NAME_BYTES, "transformer.layers.blocks.%d.%s.net", layer, is_attention ? "f" : "g");
  else
    snprintf(text, ATL_NAME_BYTES, "transformer.layers.layers.%d.%d", layer, is_attention ? 0 : 1);
  return text;
}

/* Bytes of the layer prefix of a canonical name, without the dot after it; 0 for a name outside the layers. */
static size_t prefix_bytes(const char *name) {
  static const struct {
    const char *start;
    int n_more; /* components after it: N and 0 or 1; or N, f or g, and "net" */
  } kinds[] = {{"transformer.layers.layers.", 2}, {"transformer.layers.blocks.", 3}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    size_t n = strlen(kinds[i].start);
    if (strncmp(name, kinds[i].start, n) != 0) continue;
    for (int k = 0; k < kinds[i].n_more; k++) {
      n += strcspn(name + n, ".");
      if (name[n] == '\0') return 0;
      n++;
    }
    return n - 1;
  }
  return 0;
}

static const atl_tensor_t *find_wrapped(const atl_safetensors_t *file, const char *name, size_t n_prefix) {
  char wrapped[2 * ATL_NAME_BYTES], wrappers[3 * MAX_WRAPPERS + 1] = "";
  for (int n = 1; n <= MAX_WRAPPERS; n++) {
    memcpy(wrappers + 3 * (n - 1), ".fn", 4);
    snprintf(wrapped, sizeof wrapped, "%.*s%s%s", (int)n_prefix, name, wrappers, name + n_prefix);
    const atl_tensor_t *tensor = atl_safetensors_find(file, wrapped);
    if (tensor != NULL) return tensor;
  }
  return NULL;
}

const atl_tensor_t *atl_names_find(const atl_safetensors_t *file, const char *name) {
  const atl_tensor_t *tensor = atl_safetensors_find(file, name);
  if (tensor != NULL) return tensor;
  size_t n_prefix = prefix_bytes(name);
  if (n_prefix > 0) return find_wrapped(file, name, n_prefix);
  char spelled[ATL_NAME_BYTES];
  if (strncmp(name, axial_tables, sizeof axial_tables - 1) != 0) return NULL;
  snprintf(spelled, sizeof spelled, "%s", name);
  spelled[sizeof axial_tables - 2] = '_';
  return atl_safetensors_find(file, spelled);
}

bool atl_names_canonical(const char *name, char text[ATL_NAME_BYTES]) {
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
  if (strncmp(text, axial_tables, sizeof axial_tables - 2) == 0 && text[sizeof axial_tables - 2] == '_')
    text[sizeof axial_tables - 2] = '.';
  return true;
}
