/* Map: a hash table from bytes to integers >= 0; entries are never removed. Stores vocabularies (text -> symbol) and
 * merges (pair of symbols -> merge rank).
 *
 *     atl_map_t map = {0};
 *     ATL_TRY(atl_map_set(&map, "heart", 5, 7));
 *     int32_t value = atl_map_get(&map, "heart", 5);
 *     atl_map_clear(&map);
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
  atl_map_slot_t *slots; /* (n_slots): a power of 2, at most half full */
  size_t n_slots, n;
  atl_text_t keys;
} atl_map_t; /* all zero is an empty map */

void atl_map_clear(atl_map_t *map);
/* Sets the value (>= 0, asserted) of a key, replacing an earlier one. Copies the key. MEMORY. */
atl_status_t atl_map_set(atl_map_t *map, const void *key, size_t n_bytes, int32_t value);
/* The value of a key, or -1. */
int32_t atl_map_get(const atl_map_t *map, const void *key, size_t n_bytes);

#endif
