#include "model/transformer/kvcache.h"

#include <math.h>
#include <string.h>

#include "common/round.h"
#include "model/kernels/attention/attention.h"
#include "model/kernels/bf16.h"

atl_status_t atl_kvcache_find_dtype(const char *name, atl_dtype_t weights, atl_dtype_t *dtype) {
  bool is_int8 = strcmp(name, "int8") == 0;
  *dtype = atl_dtype_find(name, strlen(name));
  if (strcmp(name, "auto") == 0) *dtype = weights;
  if (is_int8) *dtype = ATL_I8;
  ATL_CHECK(is_int8 || *dtype == ATL_F32 || *dtype == ATL_BF16, USAGE, "kv %s: expected auto, f32, bf16 or int8", name);
  return ATL_OK;
}

/* The sizes of a cache of this shape, without memory. */
static atl_kvcache_t sizes_of(const atl_kvcache_shape_t *shape) {
  int64_t side = shape->image_side, n_lines = 1;
  bool is_full = shape->kind == ATL_ATTENTION_FULL;
  if (shape->kind == ATL_ATTENTION_AXIAL_COL) n_lines = side;
  if (shape->kind == ATL_ATTENTION_CONV_LIKE) n_lines = ATL_CONV_KERNEL;
  int32_t tile = shape->n_together < ATL_MAX_TILE ? shape->n_together : ATL_MAX_TILE;
  while (shape->n_together % tile != 0) tile--;
  return (atl_kvcache_t){.shape = *shape,
                         .tile = tile,
                         .n_text_slots = atl_round_up(shape->n_text, ATL_KEY_BLOCK),
                         .line_slots = atl_round_up(is_full ? side * side : side, ATL_KEY_BLOCK),
                         .n_lines = n_lines,
                         .row_size = atl_round_up(shape->head_size, ATL_KEY_BLOCK)};
}

/* Number of blocks per head, of a prefix and of a sample. */
static size_t n_text_blocks(const atl_kvcache_t *cache) { return (size_t)(cache->n_text_slots / ATL_KEY_BLOCK); }
static size_t n_image_blocks(const atl_kvcache_t *cache) {
  return (size_t)(cache->n_lines * cache->line_slots / ATL_KEY_BLOCK);
}

/* Bytes of the keys and of the values of one block. */
static size_t k_bytes(const atl_kvcache_t *cache, atl_dtype_t dtype) {
  return atl_attention_block_bytes(dtype, cache->shape.head_size);
}
static size_t v_bytes(const atl_kvcache_t *cache, atl_dtype_t dtype) {
  return atl_attention_block_bytes(dtype, cache->row_size);
}

void atl_kvcache_get_bytes(const atl_kvcache_shape_t *shape, size_t *per_prefix, size_t *per_sample) {
  atl_kvcache_t cache = sizes_of(shape);
  size_t n_heads = (size_t)shape->n_heads;
  *per_prefix =
      n_heads * n_text_blocks(&cache) * (k_bytes(&cache, shape->text_dtype) + v_bytes(&cache, shape->text_dtype));
  *per_sample =
      n_heads * n_image_blocks(&cache) * (k_bytes(&cache, shape->image_dtype) + v_bytes(&cache, shape->image_dtype));
}

atl_status_t atl_kvcache_init(atl_kvcache_t *cache, const atl_kvcache_shape_t *shape, atl_arena_t *arena) {
  *cache = sizes_of(shape);
  atl_dtype_t text = shape->text_dtype, image = shape->image_dtype;
  size_t n_tiles = (size_t)((shape->n_samples + cache->tile - 1) / cache->tile);
  size_t n_text = (size_t)shape->n_prefixes * (size_t)shape->n_heads * n_text_blocks(cache);
  size_t n_image = n_tiles * (size_t)cache->tile * (size_t)shape->n_heads * n_image_blocks(cache);
  ATL_TRY(atl_arena_take(arena, n_text, k_bytes(cache, text), (void **)&cache->text_k));
  ATL_TRY(atl_arena_take(arena, n_text, v_bytes(cache, text), (void **)&cache->text_v));
  ATL_TRY(atl_arena_take(arena, n_image, k_bytes(cache, image), (void **)&cache->image_k));
  ATL_TRY(atl_arena_take(arena, n_image, v_bytes(cache, image), (void **)&cache->image_v));
  return ATL_OK;
}

bool atl_kvcache_is_ring(const atl_kvcache_t *cache) {
  return cache->shape.kind == ATL_ATTENTION_AXIAL_ROW || cache->shape.kind == ATL_ATTENTION_CONV_LIKE;
}

/* One head of a prefix or of a sample: its first block, and the bytes from one block to the next. */
typedef struct {
  char *k, *v;
  size_t k_step, v_step;
} store_t;

static store_t text_of(const atl_kvcache_t *cache, int32_t prefix, int32_t head) {
  size_t first = ((size_t)prefix * (size_t)cache->shape.n_heads + (size_t)head) * n_text_blocks(cache);
  size_t k_step = k_bytes(cache, cache->shape.text_dtype), v_step = v_bytes(cache, cache->shape.text_dtype);
  return (store_t){cache->text_k + first * k_step, cache->text_v + first * v_step, k_step, v_step};
}

static store_t image_of(const atl_kvcache_t *cache, int32_t sample, int32_t head) {
  size_t tile = (size_t)cache->tile, i_tile = (size_t)sample / tile, in_tile = (size_t)sample % tile;
  size_t first = (i_tile * (size_t)cache->shape.n_heads + (size_t)head) * n_image_blocks(cache) * tile + in_tile;
  size_t k_block = k_bytes(cache, cache->shape.image_dtype), v_block = v_bytes(cache, cache->shape.image_dtype);
  return (store_t){cache->image_k + first * k_block, cache->image_v + first * v_block, tile * k_block, tile * v_block};
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

/* The components of k are ATL_KEY_BLOCK apart, those of v contiguous. */
static void store_bf16(uint16_t *to_k, uint16_t *to_v, const float *k, const float *v, int64_t size) {
  enum { N_AT_ONCE = 64 };
  atl_bf16_round(to_v, v, size);
  for (int64_t first = 0; first < size; first += N_AT_ONCE) {
    int64_t n = size - first < N_AT_ONCE ? size - first : N_AT_ONCE;
    uint16_t rounded[N_AT_ONCE];
    atl_bf16_round(rounded, k + first, n);
    for (int64_t i = 0; i < n; i++) to_k[(first + i) * ATL_KEY_BLOCK] = rounded[i];
  }
}

static void store_f32(float *to_k, float *to_v, const float *k, const float *v, int64_t size) {
  for (int64_t e = 0; e < size; e++) to_k[e * ATL_KEY_BLOCK] = k[e];
  memcpy(to_v, v, (size_t)size * sizeof *v);
}

/* to <- x(n) as integers in -127..127. The two of a pair are `step` apart, the pairs pair_step apart. Returns the
 * scale; NaN if any x is NaN or infinite. */
static float store_i8(int8_t *to, int64_t pair_step, int64_t step, const float *x, int64_t n) {
  const float to_nearest = 12582912.0F; /* 3 * 2^22: adding it rounds to the nearest integer */
  float largest = 0, poison = 0;
  for (int64_t i = 0; i < n; i++) {
    largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    poison += 0.0F * x[i];
  }
  float factor = largest > 0 && poison == 0 ? 127.0F / largest : 0.0F;
  for (int64_t i = 0; i < n; i++) {
    float rounded = (x[i] * factor + to_nearest) - to_nearest;
    to[i / 2 * pair_step + i % 2 * step] = (int8_t)(rounded >= -127 && rounded <= 127 ? rounded : 0);
  }
  return largest / 127.0F + poison;
}

/* Stores keys and values in one slot of a block, and their scales after the block's integers. */
static void store_block_i8(const atl_kvcache_t *cache, int8_t *k_block, int8_t *v_block, int64_t lane, const float *k,
                           const float *v) {
  int64_t size = cache->shape.head_size, row_size = cache->row_size;
  float *k_scales = (void *)(k_block + (size + size % 2) * ATL_KEY_BLOCK);
  float *v_scales = (void *)(v_block + row_size * ATL_KEY_BLOCK);
  k_scales[lane] = store_i8(k_block + 2 * lane, 2 * ATL_KEY_BLOCK, 1, k, size);
  v_scales[lane] = store_i8(v_block + lane / 2 * 2 * row_size + lane % 2, 4, 2, v, size);
}

static void store(const atl_kvcache_t *cache, atl_dtype_t dtype, store_t at, int64_t slot, const float *k,
                  const float *v) {
  int64_t size = cache->shape.head_size, first_v = slot % ATL_KEY_BLOCK * cache->row_size, lane = slot % ATL_KEY_BLOCK;
  void *k_block = at.k + (size_t)(slot / ATL_KEY_BLOCK) * at.k_step;
  void *v_block = at.v + (size_t)(slot / ATL_KEY_BLOCK) * at.v_step;
  if (dtype == ATL_I8)
    store_block_i8(cache, k_block, v_block, lane, k, v);
  else if (dtype == ATL_BF16)
    store_bf16((uint16_t *)k_block + lane, (uint16_t *)v_block + first_v, k, v, size);
  else
    store_f32((float *)k_block + lane, (float *)v_block + first_v, k, v, size);
}

void atl_kvcache_store_text(atl_kvcache_t *cache, int32_t prefix, int32_t head, int32_t position, const float *k,
                            const float *v) {
  store(cache, cache->shape.text_dtype, text_of(cache, prefix, head), position, k, v);
}

void atl_kvcache_store_image(atl_kvcache_t *cache, int32_t sample, int32_t head, int32_t token, const float *k,
                             const float *v) {
  store(cache, cache->shape.image_dtype, image_of(cache, sample, head), slot_of(cache, token), k, v);
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
  size_t n_blocks = n_image_blocks(cache);
  size_t k_block = k_bytes(cache, cache->shape.image_dtype), v_block = v_bytes(cache, cache->shape.image_dtype);
  if (cache->shape.kind == ATL_ATTENTION_FULL)
    n_blocks = (size_t)(atl_round_up(n_tokens, ATL_KEY_BLOCK) / ATL_KEY_BLOCK);
  for (int32_t head = 0; head < cache->shape.n_heads; head++) {
    store_t target = image_of(cache, to, head), source = image_of(cache, from, head);
    for (size_t i = 0; i < n_blocks; i++) {
      memcpy(target.k + i * target.k_step, source.k + i * source.k_step, k_block);
      memcpy(target.v + i * target.v_step, source.v + i * source.v_step, v_block);
    }
  }
}
