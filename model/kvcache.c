#include "model/kvcache.h"

#include <string.h>

#include "model/kernels/attention.h"

static int64_t round_up(int64_t n) { return (n + ATL_KEY_BLOCK - 1) / ATL_KEY_BLOCK * ATL_KEY_BLOCK; }

static atl_kvcache_t measure(const atl_kvcache_shape_t *shape) {
  int64_t side = shape->image_side;
  bool is_full = shape->kind == ATL_ATTENTION_FULL;
  int64_t n_lines = shape->kind == ATL_ATTENTION_AXIAL_COL   ? side
                    : shape->kind == ATL_ATTENTION_CONV_LIKE ? ATL_CONV_KERNEL
                                                             : 1;
  int32_t tile = shape->n_together < ATL_MAX_TILE ? shape->n_together : ATL_MAX_TILE;
  while (shape->n_together % tile != 0) tile--;
  return (atl_kvcache_t){.shape = *shape,
                         .tile = tile,
                         .n_text_slots = round_up(shape->n_text),
                         .line_slots = round_up(is_full ? side * side : side),
                         .n_lines = n_lines,
                         .row_size = round_up(shape->head_size)};
}

/* Bytes of one head's keys and values of n_slots slots. */
static size_t k_bytes(const atl_kvcache_t *cache, int64_t n_slots) {
  return (size_t)(n_slots * cache->shape.head_size) * atl_dtype_bytes(cache->shape.dtype);
}
static size_t v_bytes(const atl_kvcache_t *cache, int64_t n_slots) {
  return (size_t)(n_slots * cache->row_size) * atl_dtype_bytes(cache->shape.dtype);
}

void atl_kvcache_get_bytes(const atl_kvcache_shape_t *shape, size_t *per_prefix, size_t *per_sample) {
  atl_kvcache_t cache = measure(shape);
  int64_t n_image_slots = cache.n_lines * cache.line_slots;
  *per_prefix = (size_t)shape->n_heads * (k_bytes(&cache, cache.n_text_slots) + v_bytes(&cache, cache.n_text_slots));
  *per_sample = (size_t)shape->n_heads * (k_bytes(&cache, n_image_slots) + v_bytes(&cache, n_image_slots));
}

atl_status_t atl_kvcache_init(atl_kvcache_t *cache, const atl_kvcache_shape_t *shape, atl_arena_t *arena) {
  *cache = measure(shape);
  size_t n_text = (size_t)shape->n_prefixes * (size_t)shape->n_heads;
  int64_t n_tiles = (shape->n_samples + cache->tile - 1) / cache->tile;
  size_t n_image = (size_t)(n_tiles * cache->tile) * (size_t)shape->n_heads;
  int64_t n_image_slots = cache->n_lines * cache->line_slots;
  ATL_TRY(atl_arena_take(arena, n_text, k_bytes(cache, cache->n_text_slots), (void **)&cache->text_k));
  ATL_TRY(atl_arena_take(arena, n_text, v_bytes(cache, cache->n_text_slots), (void **)&cache->text_v));
  ATL_TRY(atl_arena_take(arena, n_image, k_bytes(cache, n_image_slots), (void **)&cache->image_k));
  ATL_TRY(atl_arena_take(arena, n_image, v_bytes(cache, n_image_slots), (void **)&cache->image_v));
  return ATL_OK;
}

bool atl_kvcache_is_ring(const atl_kvcache_t *cache) {
  return cache->shape.kind == ATL_ATTENTION_AXIAL_ROW || cache->shape.kind == ATL_ATTENTION_CONV_LIKE;
}

/* One head of a prefix or of a sample: its first block, and the bytes from a block to the next. */
typedef struct {
  char *k, *v;
  size_t k_step, v_step;
} store_t;

static store_t text_of(const atl_kvcache_t *cache, int32_t prefix, int32_t head) {
  size_t i = (size_t)prefix * (size_t)cache->shape.n_heads + (size_t)head;
  return (store_t){cache->text_k + i * k_bytes(cache, cache->n_text_slots),
                   cache->text_v + i * v_bytes(cache, cache->n_text_slots), k_bytes(cache, ATL_KEY_BLOCK),
                   v_bytes(cache, ATL_KEY_BLOCK)};
}

static store_t image_of(const atl_kvcache_t *cache, int32_t sample, int32_t head) {
  int32_t tile = cache->tile;
  int64_t n_blocks = cache->n_lines * cache->line_slots / ATL_KEY_BLOCK;
  size_t first = (size_t)(((int64_t)(sample / tile) * cache->shape.n_heads + head) * n_blocks * tile + sample % tile);
  size_t k_block = k_bytes(cache, ATL_KEY_BLOCK), v_block = v_bytes(cache, ATL_KEY_BLOCK);
  return (store_t){cache->image_k + first * k_block, cache->image_v + first * v_block, (size_t)tile * k_block,
                   (size_t)tile * v_block};
}

static int64_t slot_of(const atl_kvcache_t *cache, int32_t token) {
  int64_t r = token / cache->shape.image_side, c = token % cache->shape.image_side;
  switch (cache->shape.kind) {
  case ATL_ATTENTION_FULL: return token;
  case ATL_ATTENTION_AXIAL_ROW: return c;
  case ATL_ATTENTION_AXIAL_COL: return c * cache->line_slots + r;
  case ATL_ATTENTION_CONV_LIKE: return r % ATL_CONV_KERNEL * cache->line_slots + c;
  }
  return 0;
}

/* atl_bf16_from_f32 over a block, in a form that compilers turn into vectors. */
static void round_block(uint16_t out[ATL_KEY_BLOCK], const float x[ATL_KEY_BLOCK]) {
  uint32_t bits[ATL_KEY_BLOCK];
  memcpy(bits, x, sizeof bits);
  for (int i = 0; i < ATL_KEY_BLOCK; i++) {
    uint32_t is_nan = 0U - (uint32_t)((bits[i] & 0x7fffffffU) > 0x7f800000U);
    uint32_t rounded = (bits[i] + 0x7fffU + (bits[i] >> 16 & 1U)) >> 16;
    out[i] = (uint16_t)((is_nan & (bits[i] >> 16 | 0x40U)) | (~is_nan & rounded));
  }
}

/* k lies a block apart, v side by side. */
static void store_bf16(uint16_t *to_k, uint16_t *to_v, const float *k, const float *v, int64_t size) {
  for (int64_t first = 0; first < size; first += ATL_KEY_BLOCK) {
    int64_t n = size - first < ATL_KEY_BLOCK ? size - first : ATL_KEY_BLOCK;
    float block[ATL_KEY_BLOCK] = {0};
    uint16_t rounded[ATL_KEY_BLOCK];
    memcpy(block, k + first, (size_t)n * sizeof *k);
    round_block(rounded, block);
    for (int64_t i = 0; i < n; i++) to_k[(first + i) * ATL_KEY_BLOCK] = rounded[i];
    memcpy(block, v + first, (size_t)n * sizeof *v);
    round_block(rounded, block);
    memcpy(to_v + first, rounded, (size_t)n * sizeof *rounded);
  }
}

static void store_f32(float *to_k, float *to_v, const float *k, const float *v, int64_t size) {
  for (int64_t e = 0; e < size; e++) to_k[e * ATL_KEY_BLOCK] = k[e];
  memcpy(to_v, v, (size_t)size * sizeof *v);
}

static void store(const atl_kvcache_t *cache, store_t at, int64_t slot, const float *k, const float *v) {
  int64_t size = cache->shape.head_size, lane = slot % ATL_KEY_BLOCK;
  void *k_block = at.k + (size_t)(slot / ATL_KEY_BLOCK) * at.k_step;
  void *v_block = at.v + (size_t)(slot / ATL_KEY_BLOCK) * at.v_step;
  if (cache->shape.dtype == ATL_BF16)
    store_bf16((uint16_t *)k_block + lane, (uint16_t *)v_block + lane * cache->row_size, k, v, size);
  else
    store_f32((float *)k_block + lane, (float *)v_block + lane * cache->row_size, k, v, size);
}

void atl_kvcache_store_text(atl_kvcache_t *cache, int32_t prefix, int32_t head, int32_t position, const float *k,
                            const float *v) {
  store(cache, text_of(cache, prefix, head), position, k, v);
}

void atl_kvcache_store_image(atl_kvcache_t *cache, int32_t sample, int32_t head, int32_t token, const float *k,
                             const float *v) {
  store(cache, image_of(cache, sample, head), slot_of(cache, token), k, v);
}

static atl_span_t span(store_t at, int64_t first, int64_t n_keys) {
  size_t i_block = (size_t)(first / ATL_KEY_BLOCK);
  return (atl_span_t){.k = at.k + i_block * at.k_step,
                      .v = at.v + i_block * at.v_step,
                      .k_step = at.k_step,
                      .v_step = at.v_step,
                      .first_lane = first % ATL_KEY_BLOCK,
                      .n_keys = n_keys};
}

atl_span_t atl_kvcache_get_text(const atl_kvcache_t *cache, int32_t prefix, int32_t head, int32_t n_keys) {
  return span(text_of(cache, prefix, head), 0, n_keys);
}

bool atl_kvcache_are_neighbours(const atl_kvcache_t *cache, int32_t sample, int32_t next) {
  return next == sample + 1 && next % cache->tile != 0;
}

int atl_kvcache_get_image(const atl_kvcache_t *cache, int32_t sample, int32_t head, int32_t token,
                          atl_span_t spans[ATL_MAX_SPANS]) {
  store_t at = image_of(cache, sample, head);
  int64_t slot = slot_of(cache, token);
  if (cache->shape.kind != ATL_ATTENTION_CONV_LIKE) {
    int64_t line = slot / cache->line_slots * cache->line_slots;
    spans[0] = span(at, line, slot - line + 1);
    return 1;
  }
  int64_t r = token / cache->shape.image_side, c = token % cache->shape.image_side;
  int64_t left = c < ATL_CONV_KERNEL ? 0 : c - ATL_CONV_KERNEL + 1;
  int n = 0;
  for (int64_t above = r < ATL_CONV_KERNEL ? 0 : r - ATL_CONV_KERNEL + 1; above <= r; above++)
    spans[n++] = span(at, above % ATL_CONV_KERNEL * cache->line_slots + left, c - left + 1);
  return n;
}

void atl_kvcache_copy(atl_kvcache_t *cache, int32_t to, int32_t from, int32_t n_tokens) {
  int64_t n_blocks = cache->n_lines * cache->line_slots / ATL_KEY_BLOCK;
  size_t k_block = k_bytes(cache, ATL_KEY_BLOCK), v_block = v_bytes(cache, ATL_KEY_BLOCK);
  if (cache->shape.kind == ATL_ATTENTION_FULL) n_blocks = round_up(n_tokens) / ATL_KEY_BLOCK;
  for (int32_t head = 0; head < cache->shape.n_heads; head++) {
    store_t target = image_of(cache, to, head), source = image_of(cache, from, head);
    for (size_t i = 0; i < (size_t)n_blocks; i++) {
      memcpy(target.k + i * target.k_step, source.k + i * source.k_step, k_block);
      memcpy(target.v + i * target.v_step, source.v + i * source.v_step, v_block);
    }
  }
}
