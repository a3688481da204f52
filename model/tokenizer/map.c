/* Open addressing with linear probing. */
#include "model/tokenizer/map.h"

#include <string.h>
#include <xxhash.h>

#include "common/memory.h"

void atl_map_clear(atl_map_t *map) {
  ATL_DESTROY(&map->slots);
  atl_text_clear(&map->keys);
  *map = (atl_map_t){0};
}

/* The slot of the key, or the free slot where it would go. */
static size_t find(const atl_map_t *map, const void *key, size_t n_bytes, uint64_t hash) {
  size_t i = hash & (map->n_slots - 1);
  for (;; i = (i + 1) & (map->n_slots - 1)) {
    const atl_map_slot_t *slot = &map->slots[i];
    if (slot->value < 0) return i;
    if (slot->hash == hash && slot->n_bytes == n_bytes && memcmp(map->keys.bytes + slot->offset, key, n_bytes) == 0)
      return i;
  }
}

static atl_status_t grow(atl_map_t *map) {
  size_t n_slots = map->n_slots ? map->n_slots * 2 : 64;
  atl_map_slot_t *slots;
  ATL_TRY(ATL_NEW(n_slots, &slots));
  for (size_t i = 0; i < n_slots; i++) slots[i].value = -1;
  for (size_t i = 0; i < map->n_slots; i++) {
    if (map->slots[i].value < 0) continue;
    size_t k = map->slots[i].hash & (n_slots - 1);
    while (slots[k].value >= 0) k = (k + 1) & (n_slots - 1);
    slots[k] = map->slots[i];
  }
  ATL_DESTROY(&map->slots);
  map->slots = slots;
  map->n_slots = n_slots;
  return ATL_OK;
}

atl_status_t atl_map_set(atl_map_t *map, const void *key, size_t n_bytes, int32_t value) {
  ATL_ASSERT(value >= 0);
  if (2 * (map->n + 1) > map->n_slots) ATL_TRY(grow(map));
  uint64_t hash = XXH3_64bits(key, n_bytes);
  atl_map_slot_t *slot = &map->slots[find(map, key, n_bytes, hash)];
  if (slot->value < 0) {
    size_t offset = map->keys.n;
    ATL_TRY(atl_text_append(&map->keys, key, n_bytes));
    *slot = (atl_map_slot_t){hash, offset, n_bytes, value};
    map->n++;
  }
  slot->value = value;
  return ATL_OK;
}

int32_t atl_map_get(const atl_map_t *map, const void *key, size_t n_bytes) {
  if (map->n_slots == 0) return -1;
  return map->slots[find(map, key, n_bytes, XXH3_64bits(key, n_bytes))].value;
}
