// TEST np=1
#include "common/fifo.h"

#include "tests/support/tap.h"

/* Pushes and pops bursts of changing length and compares the items with plain counters. */
static void test_order(int64_t capacity) {
  int64_t items[16], n_in = 0, n_out = 0, n_wrong = 0;
  atl_fifo_t fifo = {.capacity = capacity};
  for (int64_t round = 0; round < 200; round++) {
    for (int64_t i = 0; i < round % (capacity + 1) && !atl_fifo_is_full(&fifo); i++)
      items[atl_fifo_push(&fifo)] = n_in++;
    for (int64_t i = 0; i < fifo.n; i++) n_wrong += items[atl_fifo_at(&fifo, i)] != n_out + i;
    for (int64_t i = 0; i < (round * 7) % (capacity + 1) && fifo.n > 0; i++)
      n_wrong += items[atl_fifo_pop(&fifo)] != n_out++;
    n_wrong += fifo.n != n_in - n_out;
  }
  printf("# capacity %d, %d items\n", (int)capacity, (int)n_in);
  TAP_OK(n_wrong == 0 && n_in > 50, "items leave a fifo in the order they were pushed, also when it wraps around");
}

int main(void) {
  test_order(1);
  test_order(2);
  test_order(5);
  test_order(16);
  atl_fifo_t fifo = {.capacity = 3};
  for (int i = 0; i < 3; i++) (void)atl_fifo_push(&fifo);
  TAP_OK(atl_fifo_is_full(&fifo), "a fifo of capacity 3 with 3 items is full");
  return tap_done();
}
