/* Fifo: indices of a first-in, first-out queue over a fixed array. The caller owns the array and stores the items; the
 * fifo says at which index. It allocates nothing and never grows.
 *
 *     atl_fifo_t fifo = {.capacity = 8};
 *     int32_t items[8];
 *     items[atl_fifo_push(&fifo)] = 5;                 must not be full
 *     int32_t oldest = items[atl_fifo_at(&fifo, 0)];   must not be empty
 *     oldest = items[atl_fifo_pop(&fifo)];
 *
 * All local.
 */
#ifndef ATL_COMMON_FIFO_H
#define ATL_COMMON_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/status.h"

typedef struct {
  int64_t capacity;
  int64_t first; /* index of the oldest item */
  int64_t n;     /* items in the queue */
} atl_fifo_t;

static inline bool atl_fifo_is_full(const atl_fifo_t *fifo) { return fifo->n == fifo->capacity; }

/* Index of the i-th oldest item, 0 <= i < n (asserted). */
static inline int64_t atl_fifo_at(const atl_fifo_t *fifo, int64_t i) {
  ATL_ASSERT(i >= 0 && i < fifo->n);
  int64_t at = fifo->first + i;
  return at < fifo->capacity ? at : at - fifo->capacity;
}

/* Appends an item and returns the index to store it at. The fifo must not be full (asserted). */
static inline int64_t atl_fifo_push(atl_fifo_t *fifo) {
  ATL_ASSERT(fifo->n < fifo->capacity);
  fifo->n++;
  return atl_fifo_at(fifo, fifo->n - 1);
}

/* Removes the oldest item and returns its index; the item can be read there until the next push. The fifo must not be
 * empty (asserted). */
static inline int64_t atl_fifo_pop(atl_fifo_t *fifo) {
  int64_t at = atl_fifo_at(fifo, 0);
  fifo->first = at + 1 < fifo->capacity ? at + 1 : 0;
  fifo->n--;
  return at;
}

#endif
