// TEST np=1
/* One synthetic run per cause of lost time: the share is found, the shares make 1, and the advice names the cure. */
#include "coordinator/runfolder/diagnosis.h"

#include <math.h>
#include <string.h>

#include "tests/support/tap.h"

enum { N_STAGES = 3, SECONDS = 100 };

/* One pipeline of three stages of four layers, and a decoder and a coordinator with ranks of their own. Each stage is
 * busy for 97 s and waits a second each before, between and after its packets. */
static atl_plan_t the_plan = {.n_ranks = 5,
                              .n_pipelines = 1,
                              .n_stages = N_STAGES,
                              .n_decoders = 1,
                              .n_slots = 4,
                              .microbatch = 8,
                              .first_layer = {0, 4, 8, 12},
                              .first_stage_rank = 1,
                              .first_decoder_rank = 4};

typedef struct {
  atl_plan_t plan;
  atl_report_t reports[N_STAGES + 2];
  atl_run_summary_t summary;
} run_t;

static void make(run_t *run) {
  *run = (run_t){.plan = the_plan};
  for (int s = 0; s < N_STAGES; s++) {
    run->reports[s] = (atl_report_t){.rank = 1 + s,
                                     .busy = 97,
                                     .waiting = 3,
                                     .before = 1,
                                     .after = 1,
                                     .last = SECONDS,
                                     .n_steps = 1000,
                                     .n_rows = 8000};
    run->reports[s].role = (atl_role_t){.kind = ATL_ROLE_STAGE, .i_stage = s};
  }
  run->reports[N_STAGES] =
      (atl_report_t){.rank = 4, .role = {.kind = ATL_ROLE_DECODER}, .busy = 40, .io = 10, .waiting = 50};
  run->reports[N_STAGES + 1] = (atl_report_t){.rank = 0, .role = {.kind = ATL_ROLE_COORDINATOR}, .busy = 2};
  run->summary = (atl_run_summary_t){
      .seconds = SECONDS, .plan = &run->plan, .reports = run->reports, .n_reports = N_STAGES + 2, .n_images = 100};
}

static bool is_near(double a, double b) { return fabs(a - b) < 1e-9; } /* sums of a few doubles */

static double sum(const atl_diagnosis_t *d) {
  return d->work + d->prefill + d->decode + d->coordination + d->fill + d->tail + d->imbalance + d->back_pressure +
         d->slots + d->other;
}

/* The diagnosis whose advice must contain `words`. */
static atl_diagnosis_t diagnose(const run_t *run, const char *words) {
  atl_diagnosis_t d;
  atl_diagnosis_make(&run->summary, &d);
  if (!TAP_OK(strstr(d.advice, words) != NULL, words)) printf("# %s\n", d.advice);
  TAP_OK(is_near(sum(&d), 1), "the shares make 1");
  return d;
}

static void test_no_loss(void) {
  run_t run;
  make(&run);
  atl_diagnosis_t d = diagnose(&run, "little is lost");
  TAP_OK(is_near(d.work, 0.97) && is_near(d.fill, 0.02) && is_near(d.slots, 0.01), "busy, fill and the rest");
  TAP_OK(is_near(d.decoder_load, 0.5), "a decoder with a rank of its own is busy half the time");
}

/* Stage 2 is the slowest; stage 1 is its only neighbour. */
static void test_imbalance(void) {
  run_t run;
  make(&run);
  for (int s = 0; s < 2; s++) run.reports[s].busy = 60, run.reports[s].waiting = 40;
  atl_diagnosis_t d = diagnose(&run, "stage 0.2 is 34 % over the mean of its pipeline: move one layer to stage 0.1");
  TAP_OK(is_near(d.imbalance, 2 * 37.0 / 300), "two stages wait 37 s each for the third");
  run.plan.first_layer[1] = 5;
  run.plan.first_layer[2] = 11; /* one layer is left on the last stage: its head is what is slow */
  diagnose(&run, "fewer stages would balance better");
  make(&run);
  for (int s = 0; s < 3; s += 2) run.reports[s].busy = s ? 80 : 60, run.reports[s].waiting = s ? 20 : 40;
  diagnose(&run, "stage 0.1 is 23 % over the mean of its pipeline: move one layer to stage 0.0");
}

static void test_slots(void) {
  run_t run;
  make(&run);
  for (int s = 0; s < N_STAGES; s++) run.reports[s].busy = 50, run.reports[s].waiting = 50;
  run.plan.n_slots = 2;
  atl_diagnosis_t d = diagnose(&run, "try --slots 4 instead of 2");
  TAP_OK(is_near(d.slots, 0.48), "waits between packets");
  run.plan.n_slots = 4;
  diagnose(&run, "with enough slots in flight");
}

static void test_ends(void) {
  run_t run;
  make(&run);
  for (int s = 0; s < N_STAGES; s++) {
    run.reports[s].busy = 60;
    run.reports[s].waiting = 40;
    run.reports[s].before = 38;
  }
  diagnose(&run, "filling and draining the pipelines takes 39 %");
  make(&run);
  for (int s = 0; s < N_STAGES; s++) {
    run.reports[s].busy = 70;
    run.reports[s].waiting = 30;
    run.reports[s].after = 28;
    run.reports[s].last = 75;
  }
  atl_diagnosis_t d = diagnose(&run, "everything waits for decoding during the last 25 % of the run: add a decoder");
  TAP_OK(is_near(d.tail, 0.25) && is_near(d.fill, 0.04), "what is after the last token is tail, not drain");
}

static void test_prefill(void) {
  run_t run;
  make(&run);
  for (int s = 0; s < N_STAGES; s++) run.reports[s].prefill = 30, run.reports[s].n_prefills = 50;
  atl_diagnosis_t d = diagnose(&run, "prefilling texts takes 30 %");
  TAP_OK(is_near(d.prefill, 0.3) && is_near(d.work, 0.67), "texts are not drawing");
  TAP_OK(is_near(atl_diagnosis_step_seconds(&run.reports[0]), 67.0 / 950),
         "a step's seconds are a slot's, not a text's");
}

static void test_back_pressure(void) {
  run_t run;
  make(&run);
  run.reports[0] = (atl_report_t){.rank = 1,
                                  .role = {.kind = ATL_ROLE_STAGE},
                                  .busy = 57,
                                  .waiting = 43,
                                  .backpressure = 41,
                                  .before = 1,
                                  .last = 99,
                                  .n_steps = 1000};
  atl_diagnosis_t d = diagnose(&run, "wait for packet buffers 14 %");
  TAP_OK(is_near(d.back_pressure, 41.0 / 300), "waits for buffers");
}

static void test_others(void) {
  run_t run;
  make(&run);
  run.reports[N_STAGES].busy = 87;
  diagnose(&run, "decoders are 97 % busy: add one");
  make(&run);
  run.reports[N_STAGES + 1].busy = 95;
  diagnose(&run, "everything waits for the coordinator, which is 95 % busy");
  make(&run);
  run.reports[N_STAGES + 1] = (atl_report_t){.rank = 1, .role = {.kind = ATL_ROLE_COORDINATOR}, .busy = 30};
  run.reports[0].busy = 67;
  atl_diagnosis_t d = diagnose(&run, "give it a rank of its own");
  TAP_OK(is_near(d.coordination, 0.1), "a coordinator on a stage's rank takes of its time");
  make(&run);
  run.reports[N_STAGES].rank = 3;
  run.reports[2].busy = 47;
  d = diagnose(&run, "decoding takes 17 %");
  TAP_OK(is_near(d.decode, 50.0 / 300) && d.decoder_load == 0, "a decoder on a stage's rank takes of its time");
  make(&run);
  run.summary.is_sharing_cores = true;
  diagnose(&run, "ranks share cores");
}

static void test_other(void) {
  run_t run;
  make(&run);
  run.reports[1].busy = 50;
  atl_diagnosis_t d = diagnose(&run, "other processes use their cores");
  TAP_OK(is_near(d.other, 47.0 / 300), "a stage neither worked nor waited for 47 s");
}

static void test_nothing(void) {
  atl_diagnosis_t d;
  run_t run;
  make(&run);
  run.summary.seconds = 0;
  atl_diagnosis_make(&run.summary, &d);
  TAP_OK(d.n_stages == 0 && d.advice[0] == '\0', "a run of no time says nothing");
  make(&run);
  for (int s = 0; s < N_STAGES; s++) run.reports[s] = (atl_report_t){.rank = 1 + s, .role = {.kind = ATL_ROLE_STAGE}};
  atl_diagnosis_make(&run.summary, &d);
  TAP_OK(isfinite(sum(&d)), "stages that did nothing divide by nothing");
}

int main(void) {
  test_no_loss();
  test_imbalance();
  test_slots();
  test_ends();
  test_prefill();
  test_back_pressure();
  test_others();
  test_other();
  test_nothing();
  return tap_done();
}
