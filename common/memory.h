/* Memory: the only heap allocator. Blocks are 64-byte aligned and zeroed, sizes are checked for overflow, and the bytes
 * in use and their peak are counted for the report and the leak check at exit.
 *
 *     float *x;
 *     ATL_TRY(ATL_NEW(n_rows, &x));      atl_memory_new(n_rows, sizeof *x, (void **)&x)
 *     ATL_DESTROY(&x);
 *
 * Thread-safe. The token loop does not allocate: objects allocate their workspace when they are created.
 */
#ifndef ATL_COMMON_MEMORY_H
#define ATL_COMMON_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

/* Allocates n_items x item_bytes zeroed bytes; n_items may be 0. MEMORY. Caller owns. */
atl_status_t atl_memory_new(size_t n_items, size_t item_bytes, void **block);
/* Grows or shrinks *block, which may be NULL, to n_items and keeps its contents; new bytes are zero. MEMORY leaves
 * *block as it was. Caller owns. */
atl_status_t atl_memory_resize(size_t n_items, size_t item_bytes, void **block);
/* Frees *block, which may be NULL, and sets it to NULL. Takes. */
void atl_memory_destroy(void **block);
/* Copies a string. MEMORY. Caller owns. */
atl_status_t atl_memory_strdup(const char *text, char **copy);

/* What a block takes beside its contents, on average: half of a huge page for a large one. */
size_t atl_memory_rounding_bytes(size_t n_bytes);

/* Bytes allocated by this process through this module, now and at most. */
size_t atl_memory_in_use_bytes(void);
size_t atl_memory_peak_bytes(void);
/* Sets the peak to the bytes in use. */
void atl_memory_reset_peak(void);

/* Makes the n-th allocation from now fail (1: the next); 0 turns this off. For tests of failure paths. */
void atl_memory_fail_after(int64_t n_allocations);

#define ATL_NEW(n_items, pointer) atl_memory_new((size_t)(n_items), sizeof **(pointer), (void **)(pointer))
#define ATL_RESIZE(n_items, pointer) atl_memory_resize((size_t)(n_items), sizeof **(pointer), (void **)(pointer))
#define ATL_DESTROY(pointer) atl_memory_destroy((void **)(pointer))

#endif
