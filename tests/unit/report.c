// TEST np=1
#include "coordinator/runfolder/report.h"

#include <stdlib.h>

#include "common/memory.h"
#include "tests/support/tap.h"

static const atl_report_t the_reports[] = {{.rank = 3,
                                            .role = {.kind = ATL_ROLE_DECODER, .i_decoder = 0},
                                            .busy = 4,
                                            .waiting = 6,
                                            .io = 0.5,
                                            .n_rows = 384,
                                            .n_steps = 384,
                                            .peak_bytes = 40 << 20,
                                            .resident_bytes = 60 << 20},
                                           {.rank = 1,
                                            .role = {.kind = ATL_ROLE_STAGE, .i_stage = 10},
                                            .busy = 9,
                                            .waiting = 1,
                                            .n_rows = 384,
                                            .n_steps = 24576,
                                            .peak_bytes = 70 << 20,
                                            .resident_bytes = 90 << 20},
                                           {.rank = 1,
                                            .role = {.kind = ATL_ROLE_STAGE, .i_stage = 9},
                                            .busy = 3,
                                            .waiting = 1,
                                            .draw = 0.5,
                                            .n_rows = 384,
                                            .n_steps = 24576,
                                            .peak_bytes = 70 << 20,
                                            .resident_bytes = 90 << 20}};

static char *print(const atl_run_summary_t *summary) {
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  TAP_STATUS(ATL_OK, atl_report_print(summary, out), "the report");
  fclose(out);
  return text;
}

static void has(const char *text, const char *words) {
  if (!TAP_OK(strstr(text, words) != NULL, words)) printf("%s\n", text);
}

int main(void) {
  atl_plan_t plan = {.n_ranks = 4,
                     .n_pipelines = 1,
                     .n_stages = 2,
                     .n_decoders = 1,
                     .n_slots = 3,
                     .microbatch = 8,
                     .seconds = 10,
                     .images_per_second = 40,
                     .rank_bytes = 100 << 20,
                     .process_bytes = 10 << 20,
                     .stage_bytes = {90 << 20, 80 << 20},
                     .decoder_bytes = 35 << 20,
                     .sample_bytes = 2 << 20,
                     .first_stage_rank = 1,
                     .first_decoder_rank = 3,
                     .reason = "because"};
  atl_run_summary_t summary = {.seconds = 12,
                               .setup_seconds = 1.5,
                               .n_images = 384,
                               .n_drawn = 64,
                               .n_cores = 4,
                               .plan = &plan,
                               .reports = the_reports,
                               .n_reports = 3};
  char *text = print(&summary);
  has(text, "images/s       32");
  has(text, "tokens/s       2048 (64 an image)");
  has(text, "images/s/core  8 (4 cores)");
  has(text, "seconds                 10          12   +20%");
  has(text, "images/s                40          32   -20%");
  has(text, "MiB a rank             100          90   -10%");
  has(text, "a sample in flight takes 2.0 MiB");
  has(text, "384        384      45.0      60.0      40.0");
  has(text, "384      24576     100.0      90.0      70.0");
  has(text, "stage               2     50.0%     75.0%      8.3%     0.667");
  has(text, "decoder             1     33.3%     33.3%     50.0%     1.000");
  const char *nine = strstr(text, "stage 0.9"), *ten = strstr(text, "stage 0.10"),
             *decoder = strstr(text, "3 decoder 0");
  TAP_OK(nine && ten && decoder && nine < ten && ten < decoder, "roles come by rank, then by number");
  free(text);
  text = print(&(atl_run_summary_t){0});
  TAP_OK(!strstr(text, "nan") && !strstr(text, "inf") && !strstr(text, "role"), "a run of nothing divides by nothing");
  free(text);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
