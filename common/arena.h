/* Arena: memory that lives exactly as long as the object that owns it. Everything taken from an arena is freed at
 * once by atl_arena_clear, so that an early return out of a half-built object leaks nothing.
 *
 *     atl_arena_t arena = {0};
 *     ATL_TRY(atl_arena_take(&arena, n, sizeof *weights, (void **)&weights));   -- or ATL_TAKE(&arena, n, &weights)
 *     atl_arena_clear(&arena);
 */
#ifndef ATL_COMMON_ARENA_H
#define ATL_COMMON_ARENA_H

#include "common/memory.h"

enum { ATL_ARENA_CHUNK_BYTES = 64 << 10 }; /* the least that an arena takes at once */

typedef struct atl_arena_chunk atl_arena_chunk_t;
typedef struct {
  atl_arena_chunk_t *chunks; /* newest first */
} atl_arena_t;               /* all zero is an empty arena */

/* n_items x item_bytes zeroed bytes, 64-byte aligned, owned by the arena; MEMORY when they are not to be had. */
atl_status_t atl_arena_take(atl_arena_t *arena, size_t n_items, size_t item_bytes, void **block);
/* A copy of `text`, at most n bytes of it, owned by the arena; not aligned. */
atl_status_t atl_arena_strndup(atl_arena_t *arena, const char *text, size_t n, char **copy);
/* printf into arena-owned text. */
atl_status_t atl_arena_printf(atl_arena_t *arena, char **text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Frees everything; the arena is empty and usable. */
void atl_arena_clear(atl_arena_t *arena);

#define ATL_TAKE(arena, n_items, pointer)                                                                              \
  atl_arena_take((arena), (size_t)(n_items), sizeof **(pointer), (void **)(pointer))

#endif
