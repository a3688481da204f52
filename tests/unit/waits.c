// TEST np=1
/* Polls with times chosen by hand, and the totals they must give. All values are sums of small binary fractions, so
 * comparisons are exact. */
#include "workers/waits.h"

#include "tests/support/tap.h"

typedef struct {
  double start, end, coordinating;
  atl_did_t did;
  bool has_decoded;
} step_t;

static int n_ended;
static atl_wait_t last_ended;

static void play(atl_waits_t *waits, const step_t *steps, int n) {
  for (int i = 0; i < n; i++) {
    atl_poll_t poll = {steps[i].start, steps[i].end, steps[i].coordinating, steps[i].did, steps[i].has_decoded};
    n_ended += atl_waits_count(waits, &poll, &last_ended);
  }
}

static bool has_totals(const atl_waits_t *waits, double now, double coordinating, atl_wait_totals_t want) {
  atl_wait_totals_t got;
  atl_waits_get(waits, now, coordinating, &got);
  bool is_same = got.waiting == want.waiting && got.backpressure == want.backpressure && got.before == want.before &&
                 got.after == want.after && got.last == want.last;
  if (!is_same)
    printf("# waiting %g, backpressure %g, before %g, after %g, last %g\n", got.waiting, got.backpressure, got.before,
           got.after, got.last);
  return is_same;
}

static void test_story(void) {
  static const step_t start[] = {{1, 1, 0, ATL_DID_WAIT_FOR_INPUT, false}, {2, 2, 0, ATL_DID_WAIT_FOR_INPUT, false}};
  static const step_t work[] = {{4, 6, 0, ATL_DID_WORK, false},
                                {6, 6, 0, ATL_DID_WAIT_FOR_BUFFER, false},
                                {7, 7, 0, ATL_DID_WAIT_FOR_BUFFER, false},
                                {9, 10, 0, ATL_DID_WORK, false},
                                {10, 10, 0, ATL_DID_WAIT_FOR_INPUT, false}};
  atl_waits_t waits;
  atl_waits_init(&waits);
  TAP_OK(has_totals(&waits, 1, 0, (atl_wait_totals_t){0}), "there is no wait before the first poll");
  play(&waits, start, 2);
  TAP_OK(has_totals(&waits, 3, 0, (atl_wait_totals_t){.waiting = 2, .before = 2}),
         "the current wait counts, as time before the first step");
  play(&waits, work, 5);
  TAP_OK(n_ended == 2 && last_ended.start == 6 && last_ended.end == 9 && last_ended.what == ATL_DID_WAIT_FOR_BUFFER,
         "each wait that ends is reported once, with its start and end");
  TAP_OK(has_totals(&waits, 12, 0,
                    (atl_wait_totals_t){.waiting = 8, .backpressure = 3, .before = 3, .after = 2, .last = 10}),
         "waiting is split into before the first step, for buffers, and after the last step");
  TAP_OK(has_totals(&waits, 12, 1.5,
                    (atl_wait_totals_t){.waiting = 6.5, .backpressure = 3, .before = 3, .after = 0.5, .last = 10}),
         "time the coordinator works during a wait does not count as waiting");
  TAP_OK(atl_waits_end(&waits, 12, 1.5, &last_ended) && !atl_waits_end(&waits, 13, 1.5, &last_ended) &&
             has_totals(&waits, 20, 9,
                        (atl_wait_totals_t){.waiting = 6.5, .backpressure = 3, .before = 3, .after = 0.5, .last = 10}),
         "the end of the loop ends the current wait, once");
}

/* When the reason changes, one wait ends where the next begins. A decoded picture ends a wait and is not a step. */
static void test_changes(void) {
  static const step_t steps[] = {{1, 1, 0, ATL_DID_WAIT_FOR_INPUT, false},
                                 {3, 3, 0, ATL_DID_WAIT_FOR_BUFFER, false},
                                 {4, 6, 0, ATL_DID_WAIT_FOR_BUFFER, true}};
  atl_waits_t waits;
  atl_waits_init(&waits);
  play(&waits, steps, 3);
  TAP_OK(has_totals(&waits, 8, 0, (atl_wait_totals_t){.waiting = 3, .backpressure = 1, .before = 3}),
         "a wait for a buffer follows one for input without a gap, and decoding counts as neither");
}

int main(void) {
  test_story();
  test_changes();
  return tap_done();
}
