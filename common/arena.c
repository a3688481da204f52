/* Chunks of at least ATL_ARENA_CHUNK_BYTES; a larger request gets a chunk of its own size. */
#include "common/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64 };

struct atl_arena_chunk {
  atl_arena_chunk_t *older;
  size_t used, capacity;
  char *bytes;
};

static atl_status_t push_chunk(atl_arena_t *arena, size_t n_bytes) {
  atl_arena_chunk_t *chunk;
  size_t capacity = ATL_ARENA_CHUNK_BYTES;
  if (n_bytes > capacity) capacity = (n_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  ATL_TRY(ATL_NEW(1, &chunk));
  atl_status_t status = ATL_NEW(capacity, &chunk->bytes);
  if (status != ATL_OK) {
    ATL_DESTROY(&chunk);
    return status;
  }
  chunk->capacity = capacity;
  chunk->older = arena->chunks;
  arena->chunks = chunk;
  return ATL_OK;
}

/* Takes n_bytes from the newest chunk, or from a new one if they do not fit. */
static atl_status_t take(atl_arena_t *arena, size_t n_bytes, void **block) {
  if (arena->chunks == NULL || arena->chunks->capacity - arena->chunks->used < n_bytes)
    ATL_TRY(push_chunk(arena, n_bytes));
  *block = arena->chunks->bytes + arena->chunks->used;
  arena->chunks->used += n_bytes;
  return ATL_OK;
}

atl_status_t atl_arena_take(atl_arena_t *arena, size_t n_items, size_t item_bytes, void **block) {
  *block = NULL;
  size_t n_bytes, padded;
  ATL_CHECK(!__builtin_mul_overflow(n_items, item_bytes, &n_bytes) &&
                !__builtin_add_overflow(n_bytes, (size_t)(ALIGNMENT - 1), &padded),
            MEMORY, "%zu items of %zu bytes do not fit this machine's address space", n_items, item_bytes);
  padded &= ~(size_t)(ALIGNMENT - 1);
  if (arena->chunks != NULL)
    arena->chunks->used += -arena->chunks->used & (ALIGNMENT - 1); /* unaligned texts may precede */
  return take(arena, padded, block);
}

atl_status_t atl_arena_strndup(atl_arena_t *arena, const char *text, size_t n, char **copy) {
  n = strnlen(text, n);
  *copy = NULL;
  ATL_TRY(take(arena, n + 1, (void **)copy)); /* no padding: jobs have up to a million texts */
  memcpy(*copy, text, n);
  return ATL_OK;
}

atl_status_t atl_arena_printf(atl_arena_t *arena, char **text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  ATL_TRY(atl_arena_take(arena, (size_t)n + 1, 1, (void **)text));
  va_start(arguments, format);
  vsnprintf(*text, (size_t)n + 1, format, arguments);
  va_end(arguments);
  return ATL_OK;
}

void atl_arena_clear(atl_arena_t *arena) {
  while (arena->chunks != NULL) {
    atl_arena_chunk_t *chunk = arena->chunks;
    arena->chunks = chunk->older;
    ATL_DESTROY(&chunk->bytes);
    ATL_DESTROY(&chunk);
  }
}
