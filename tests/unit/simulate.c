// TEST
/* Compares the simulated schedule with closed forms, and the plan's prediction with the simulated schedule. */
#include "partition/simulate.h"

#include "common/memory.h"
#include "tests/support/tap.h"

static atl_plan_request_t make_request(int32_t n_ranks, int32_t n_stages, int32_t n_slots) {
  return (atl_plan_request_t){.n_ranks = n_ranks,
                              .n_layers = 12,
                              .n_drawn = 256,
                              .text_length = 64,
                              .n_images = 320,
                              .n_prompts = 1,
                              .n_stages = n_stages,
                              .n_pipelines = 1,
                              .n_slots = n_slots,
                              .microbatch = 8,
                              .costs = {.microbatch = 8, .layer = 1e-3, .decode = 0.05}};
}

static int is_near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance * fabs(b); }

static atl_status_t play(const atl_plan_request_t *q, double jitter, atl_plan_t *plan, atl_simulation_t *simulation) {
  ATL_TRY(atl_plan_make(q, plan));
  return atl_simulate_run(plan, q, jitter, simulation);
}

/* 40 microbatches; t = 3 ms per stage of 3 layers. Tolerance 1e-9: the two sides add in a different order. */
static void test_closed_forms(void) {
  atl_plan_t plan;
  atl_simulation_t s;
  atl_plan_request_t q = make_request(4, 4, 1);
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "one slot is simulated");
  TAP_OK(is_near(s.seconds, 40 * 256 * 4 * 3e-3, 1e-9), "one slot keeps one of four stages busy");
  TAP_OK(is_near(s.work, 0.25, 1e-9) && is_near(s.slots + s.fill, 0.75, 1e-9),
         "with one slot, the other time is waiting for slots");
  q.n_slots = 4;
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "four slots are simulated");
  TAP_OK(is_near(s.seconds, (40 * 256 + 3) * 3e-3, 1e-9), "with as many slots as stages a job takes N T + S - 1 steps");
  TAP_OK(is_near(s.fill, 3.0 / (40 * 256 + 3), 1e-6), "fill and drain are (S - 1) / (N T + S - 1)");
  q.n_slots = 8;
  q.costs.head = 3e-3;
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "a slow head is simulated");
  TAP_OK(is_near(plan.balance, 15.0 / 16, 1e-9) && is_near(s.imbalance, 1 - plan.balance, 1e-2),
         "a slow head's waits count as imbalance");
  q = make_request(1, 1, 0);
  q.costs.prefill_row = 1e-4;
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "one stage is simulated");
  TAP_OK(is_near(s.seconds, 40 * 256 * 12e-3 + 65 * 12 * 1e-4, 1e-9), "one stage takes its steps and one prefill");
  TAP_OK(is_near(s.work + s.prefill, 1, 1e-9), "one stage never waits");
}

static void test_decoders(void) {
  atl_plan_t plan;
  atl_simulation_t s;
  atl_plan_request_t q = make_request(1, 1, 0);
  q.has_decoders = true;
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "one rank with a decoder is simulated");
  TAP_OK(is_near(s.seconds, 40 * 256 * 12e-3 + 320 * 0.05, 1e-9), "one rank draws and decodes one after the other");
  TAP_OK(is_near(s.work + s.decode, 1, 1e-9), "one rank with a decoder never waits");
  q.n_ranks = 2;
  q.n_decoders = 1;
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "a decoder with its own rank is simulated");
  TAP_OK(is_near(s.seconds, 40 * 256 * 12e-3 + 8 * 0.05, 1e-9),
         "with its own decoder, only the last wave's images are left at the end");
  TAP_OK(is_near(s.tail, 8 * 0.05 / s.seconds, 1e-9), "the last wave's decoding is the tail");
  q.costs.decode = 1;
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &s), "a slow decoder is simulated");
  TAP_OK(is_near(s.seconds, 256 * 12e-3 + 320, 1e-9), "a slow decoder determines the time");
}

/* Tolerance 10 %: the formula ignores how decoding and prefill interleave with the steps. */
static void test_prediction(void) {
  int n_far = 0, n = 0;
  for (int32_t n_ranks = 1; n_ranks <= 24; n_ranks++)
    for (int32_t n_stages = 1; n_stages <= 6 && n_stages <= n_ranks; n_stages++) {
      atl_plan_request_t q = make_request(n_ranks, n_stages, 0);
      atl_plan_t plan;
      atl_simulation_t s;
      q.n_pipelines = q.microbatch = 0;
      q.has_decoders = true;
      q.n_images = 4000;
      q.costs.head = 2e-3;
      q.costs.hop = 2e-4;
      q.costs.layer_fixed = 2e-4;
      if (play(&q, 0, &plan, &s) != ATL_OK) continue;
      double used = s.work + s.prefill + s.decode + s.imbalance + s.fill + s.tail + s.slots;
      int is_far = !is_near(plan.seconds, s.seconds, 0.10) || !is_near(used, 1, 1e-6);
      if (is_far) {
        atl_plan_print(&plan, &q, stdout);
        atl_simulate_print(&s, stdout);
      }
      n_far += is_far;
      n++;
    }
  TAP_OK(n_far == 0 && n > 100, "predictions are within 10 % of the simulated schedule, and its shares add up to 1");
}

static void test_jitter(void) {
  atl_plan_t plan;
  atl_simulation_t calm, shaken, again;
  atl_plan_request_t q = make_request(4, 4, 4);
  TAP_STATUS(ATL_OK, play(&q, 0, &plan, &calm), "a schedule without jitter is simulated");
  TAP_STATUS(ATL_OK, play(&q, 0.3, &plan, &shaken), "a schedule with jitter is simulated");
  TAP_STATUS(ATL_OK, play(&q, 0.3, &plan, &again), "a schedule with jitter is simulated again");
  TAP_OK(shaken.seconds > calm.seconds && shaken.seconds == again.seconds, "jitter costs time, the same each time");
  q.n_slots = 5;
  TAP_STATUS(ATL_OK, play(&q, 0.3, &plan, &again), "one more slot is simulated");
  TAP_OK(again.seconds < shaken.seconds, "one more slot absorbs jitter");
  q.n_images = (int64_t)1 << 40;
  TAP_STATUS(ATL_INPUT, play(&q, 0, &plan, &calm), "a job with too many steps to simulate is refused");
}

int main(void) {
  test_closed_forms();
  test_decoders();
  test_prediction();
  test_jitter();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
