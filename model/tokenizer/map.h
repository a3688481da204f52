/* Map: bytes -> number, growing, never shrinking. Holds vocabularies (text -> symbol) and merges (two symbols -> rank).
 */
#ifndef ATL_MODEL_TOKENIZER_MAP_H
#define ATL_MODEL_TOKENIZER_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/status.h"
#include "model/tokenizer/text.h"

typedef struct {
  uint64_t hash;
  size_t offset, n_bytes; /* of the key in `keys` */
  int32_t value;          /* < 0: free */
} atl_map_slot_t;

typedef struct {
  atl_map_slot_t *slots; /* (n_slots), a power of 2, at most half full */
  size_t n_slots, n;
  atl_text_t keys;
} atl_map_t; /* all zero is an empty map */

void atl_map_clear(atl_map_t *map);
/* value >= 0; replaces the value of a key that is there. Copies the key. MEMORY. */
atl_status_t atl_map_set(atl_map_t *map, const void *key, size_t n_bytes, int32_t value);
/* -1 when the key is not there. */
int32_t atl_map_get(const atl_map_t *map, const void *key, size_t n_bytes);

#endif
