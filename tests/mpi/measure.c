// TEST np=1,2,4
/* Measuring the ring gives every rank the same, positive times. How long they are is not checked. */
#include "partition/measure.h"
#include "common/memory.h"
#include "tests/support/together.h"

static int is_sane(const atl_ring_times_t *t, const atl_ring_load_t *load) {
  double bytes = (double)load->n_rows * (double)load->row_width * sizeof(float);
  return t->round > 0 && t->hop > 0 && t->hop <= t->round && t->microbatch > 0 && fabs(t->bytes - bytes) < 0.5;
}

/* On rank 0: are all ranks' times, gathered, equal to its own? */
static int is_same_everywhere(const atl_comm_t *world, const atl_ring_times_t *times) {
  char *all;
  size_t *offsets;
  int is_same = atl_comm_gather(world, 0, times, sizeof *times, &all, &offsets) == ATL_OK;
  for (int r = 0; all != NULL && r < atl_comm_size(world); r++)
    is_same = is_same && memcmp(all + offsets[r], times, sizeof *times) == 0;
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  return is_same;
}

int main(int argc, char **argv) {
  static const atl_ring_load_t loads[] = {{1, 64, 1, 50}, {8, 256, 1, 50}, {32, 512, 1, 50}, {32, 512, 5, 50}};
  atl_comm_t *world;
  if (atl_comm_start(&argc, &argv, &world) != ATL_OK) return 1;
  for (int i = 0; i < 4; i++) {
    atl_ring_times_t times;
    together(world, atl_measure_ring(world, &loads[i], &times) == ATL_OK && is_sane(&times, &loads[i]),
             "the ring's times are positive and consistent");
    together(world, is_same_everywhere(world, &times), "every rank has the same times");
    if (atl_comm_rank(world) == 0)
      printf("# %.0f bytes, %d slots: round %.1f us, hop %.1f us, microbatch %.1f us\n", times.bytes,
             (int)loads[i].n_slots, 1e6 * times.round, 1e6 * times.hop, 1e6 * times.microbatch);
  }
  atl_ring_times_t times;
  together(world, atl_measure_ring(world, &(atl_ring_load_t){1, 1, 0, 1}, &times) == ATL_INPUT,
           "a ring without slots is refused");
  int code = together_done(&world);
  return atl_memory_in_use_bytes() != 0 ? 1 : code;
}
