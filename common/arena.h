/* Arena: memory that lives as long as the object that owns it. atl_arena_clear frees everything taken from the arena at
 * once, so an early return from a half-built object leaks nothing.
 *
 *     atl_arena_t arena = {0};
 *     ATL_TRY(ATL_TAKE(&arena, n_rows, &weights));     float *weights: n_rows zeroed floats
 *     atl_arena_clear(&arena);                         owner's clear or destroy
 *
 * Not thread-safe.
 */
#ifndef ATL_COMMON_ARENA_H
#define ATL_COMMON_ARENA_H

#include "common/memory.h"

enum { ATL_ARENA_CHUNK_BYTES = 64 << 10 }; /* the least that an arena takes at once */

typedef struct atl_arena_chunk atl_arena_chunk_t;
typedef struct {
  atl_arena_chunk_t *chunks; /* newest first */
} atl_arena_t;               /* all zero is an empty arena */

/* n_items x item_bytes zeroed bytes, 64-byte aligned, owned by the arena. MEMORY when allocation fails or the size
 * overflows. ATL_TAKE derives item_bytes from the pointer. */
atl_status_t atl_arena_take(atl_arena_t *arena, size_t n_items, size_t item_bytes, void **block);
/* Copies at most n bytes of `text` and adds a NUL. The copy is owned by the arena and not aligned. MEMORY. */
atl_status_t atl_arena_strndup(atl_arena_t *arena, const char *text, size_t n, char **copy);
/* Formats like printf into text owned by the arena. MEMORY. */
atl_status_t atl_arena_printf(atl_arena_t *arena, char **text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Frees all blocks. The arena is empty afterwards and can be used again. */
void atl_arena_clear(atl_arena_t *arena);

#define ATL_TAKE(arena, n_items, pointer)                                                                              \
  atl_arena_take((arena), (size_t)(n_items), sizeof **(pointer), (void **)(pointer))

#endif
