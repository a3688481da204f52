// TEST np=1,2,4
/* Ranks of one host share a clock, so the offset that pings find between them must be 0 within the error that the round
 * trip allows. */
#include "partition/clock.h"

#include "common/memory.h"
#include "common/timer.h"
#include "tests/support/together.h"

static bool is_near(double a, double b) { return fabs(a - b) < 1e-12; } /* doubles of a few units */

static void test_align(void) {
  atl_clock_t start = {10, 1, 0}, end = {20, 2, 0};
  TAP_OK(is_near(atl_clock_align(&start, &end, 10), 11) && is_near(atl_clock_align(&start, &end, 20), 22) &&
             is_near(atl_clock_align(&start, &end, 15), 16.5) && is_near(atl_clock_align(&start, &end, 8), 8.8),
         "drift is interpolated linearly");
  TAP_OK(is_near(atl_clock_align(&start, &start, 15), 16), "with one measurement the offset is constant");
}

int main(int argc, char **argv) {
  atl_comm_t *world;
  atl_clock_t clock;
  if (atl_comm_start(&argc, &argv, &world) != ATL_OK) return 1;
  if (atl_comm_rank(world) == 0) test_align();
  together(world, atl_clock_measure(world, false, &clock) == ATL_OK && clock.offset == 0 && clock.error == 0,
           "ranks of one host share their clock");
  double before = atl_timer_now();
  bool is_ok = atl_clock_measure(world, true, &clock) == ATL_OK;
  double after = atl_timer_now();
  /* 1 ns: the clock's resolution. */
  together(world, is_ok && fabs(clock.offset) <= clock.error + 1e-9, "pings find the offset within their error");
  together(world, clock.at >= before && clock.at <= after, "the offset's time lies within the measurement");
  int code = together_done(&world);
  return atl_memory_in_use_bytes() != 0 ? 1 : code;
}
