/* Key/value cache of one layer: a text part per prefix and an image part per sample. The image part holds only the
 * tokens that the layer's kind of attention can still see.
 *
 *     kind        image slots per sample        token (r,c) is slot      and reads
 *     full        I in one line                 r f + c                  the line up to itself
 *     axial_row   f: the current row            c                        the line up to itself
 *     axial_col   f lines of f: a column each   line c, slot r           its line up to itself
 *     conv_like   5 lines of f: rows mod 5      line r mod 5, slot c     slots c-4..c of rows r-4..r
 *
 * Keys and values are laid out for model/kernels/attention, in blocks of 16 slots: keys (E,16), values (16,E'). A line
 * is padded to whole blocks. Samples that run together keep the blocks of the same slots side by side, so that a step
 * reads contiguous memory: image_k is (tiles,H,blocks,tile,E,16). axial_row and conv_like overwrite slots: a token must
 * be read before the one that takes its slot is stored (atl_kvcache_is_ring). The arena given to init owns the arrays.
 */
#ifndef ATL_MODEL_TRANSFORMER_KVCACHE_H
#define ATL_MODEL_TRANSFORMER_KVCACHE_H

#include "common/arena.h"
#include "common/tensor.h"
#include "model/checkpoint/config.h"

enum { ATL_MAX_SPANS = ATL_CONV_KERNEL, ATL_MAX_TILE = 8 };

typedef struct {
  atl_attention_kind_t kind;
  atl_dtype_t text_dtype;     /* ATL_F32 or ATL_BF16 */
  atl_dtype_t image_dtype;    /* ATL_F32, ATL_BF16, or ATL_I8: integers, and a scale per head and position */
  int32_t n_text;             /* T+1 */
  int32_t image_side;         /* f */
  int32_t n_heads, head_size; /* H, E */
  int32_t n_prefixes, n_samples;
  int32_t n_together; /* n >= 1: samples [i*n,(i+1)*n) usually run in the same call */
} atl_kvcache_shape_t;

typedef struct {
  atl_kvcache_shape_t shape;
  int64_t n_text_slots;        /* T+1 rounded up to blocks */
  int64_t line_slots, n_lines; /* of the image part; line_slots rounded up to blocks */
  int64_t row_size;            /* E' */
  int32_t tile;                /* samples stored side by side: the largest divisor of n_together up to ATL_MAX_TILE */
  char *text_k, *text_v;       /* (n_prefixes,H,blocks,E,16), (n_prefixes,H,blocks,16,E') */
  char *image_k, *image_v;     /* (tiles,H,blocks,tile,E,16), (tiles,H,blocks,tile,16,E') */
} atl_kvcache_t;

/* Consecutive visible slots of one head: n_keys slots, starting at lane first_lane of the block at k and v. Blocks are
 * k_step and v_step bytes apart. */
typedef struct {
  const char *k, *v;
  size_t k_step, v_step;
  int64_t first_lane, n_keys;
} atl_span_t;

/* The dtype of a cache's image part by name: f32, bf16, int8, or auto for the dtype of the weights. USAGE when it is
 * none of these. */
atl_status_t atl_kvcache_find_dtype(const char *name, atl_dtype_t weights, atl_dtype_t *dtype);
/* Bytes of a prefix and of a sample. Pure. */
void atl_kvcache_get_bytes(const atl_kvcache_shape_t *shape, size_t *per_prefix, size_t *per_sample);
/* MEMORY. The arena owns. */
atl_status_t atl_kvcache_init(atl_kvcache_t *cache, const atl_kvcache_shape_t *shape, atl_arena_t *arena);
/* Do later tokens of a sample overwrite the slots of earlier ones? */
bool atl_kvcache_is_ring(const atl_kvcache_t *cache);

/* Store k(E) and v(E) of one head, at text position p (0..T) of a prefix or at image token j of a sample. Borrow. */
void atl_kvcache_store_text(atl_kvcache_t *cache, int32_t prefix, int32_t head, int32_t position, const float *k,
                            const float *v);
void atl_kvcache_store_image(atl_kvcache_t *cache, int32_t sample, int32_t head, int32_t token, const float *k,
                             const float *v);
/* The span of text positions 0..n_keys-1. Borrowed. */
atl_span_t atl_kvcache_get_text(const atl_kvcache_t *cache, int32_t prefix, int32_t head, int32_t n_keys);
/* Does each block of sample `next` lie right after the same block of `sample`? */
bool atl_kvcache_are_neighbours(const atl_kvcache_t *cache, int32_t sample, int32_t next);
/* The image slots that image token j sees, itself included, oldest first. Returns the number of spans. Borrowed. */
int atl_kvcache_get_image(const atl_kvcache_t *cache, int32_t sample, int32_t head, int32_t token,
                          atl_span_t spans[ATL_MAX_SPANS]);
/* Copies the image part of sample `from`, which holds n_tokens tokens, to sample `to`. */
void atl_kvcache_copy(atl_kvcache_t *cache, int32_t to, int32_t from, int32_t n_tokens);

#endif
