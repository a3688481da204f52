#include "coordinator/runfolder/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/timer.h"
#include "coordinator/runfolder/diagnosis.h"

static double per(double amount, double unit) { return unit > 0 ? amount / unit : 0; }

/* By rank, and on a rank by role with its numbers in order. */
static int compare_reports(const void *a, const void *b) {
  const atl_report_t *x = *(const atl_report_t *const *)a, *y = *(const atl_report_t *const *)b;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
  return strverscmp(x->role, y->role);
}

static void print_rates(const atl_run_summary_t *summary, FILE *out) {
  char seconds[32], setup[32];
  double n = (double)summary->n_images, rate = per(n, summary->seconds);
  fprintf(out, "images         %" PRId64 "\n", summary->n_images);
  fprintf(out, "time           %s, after %s of setup\n", atl_timer_format(summary->seconds, seconds),
          atl_timer_format(summary->setup_seconds, setup));
  fprintf(out, "images/s       %.4g\n", rate);
  fprintf(out, "tokens/s       %.4g (%" PRId32 " an image)\n", rate * summary->n_drawn, summary->n_drawn);
  fprintf(out, "images/s/core  %.4g (%.3g cores)\n", per(rate, summary->n_cores), summary->n_cores);
}

static void print_against(const char *what, double predicted, double measured, FILE *out) {
  fprintf(out, "%-14s %11.4g %11.4g", what, predicted, measured);
  if (predicted > 0 && measured > 0) fprintf(out, "   %+.0f%%", 100 * (measured / predicted - 1));
  fputc('\n', out);
}

/* Bytes of the fullest rank; roles of one rank report the same peak. */
static uint64_t get_peak(const atl_run_summary_t *summary) {
  uint64_t peak = 0;
  for (int32_t i = 0; i < summary->n_reports; i++)
    if (summary->reports[i].resident_bytes > peak) peak = summary->reports[i].resident_bytes;
  return peak;
}

static void print_count(int32_t n, const char *thing, FILE *out) {
  fprintf(out, "%" PRId32 " %s%s", n, thing, n == 1 ? "" : "s");
}

static void print_prediction(const atl_run_summary_t *summary, FILE *out) {
  const atl_plan_t *plan = summary->plan;
  if (!plan) return;
  fprintf(out, "\nplan: ");
  print_count(plan->n_pipelines, "pipeline", out);
  fprintf(out, " of ");
  print_count(plan->n_stages, "stage", out);
  fprintf(out, ", ");
  print_count(plan->n_decoders, "decoder", out);
  fprintf(out, ", on ");
  print_count(plan->n_ranks, "rank", out);
  fprintf(out, "; ");
  print_count(plan->n_slots, "slot", out);
  fprintf(out, " of ");
  print_count(plan->microbatch, "sample", out);
  fprintf(out, "\n%s\n\n", plan->reason);
  fprintf(out, "%-14s %11s %11s\n", "", "predicted", "measured");
  print_against("seconds", plan->seconds, summary->seconds, out);
  print_against("images/s", plan->images_per_second, per((double)summary->n_images, summary->seconds), out);
  print_against("MiB a rank", (double)plan->rank_bytes / 0x1p20, (double)get_peak(summary) / 0x1p20, out);
  fprintf(out, "a sample in flight takes %.1f MiB of its pipeline\n", (double)plan->sample_bytes / 0x1p20);
}

/* A row per stage of the pipelines: what the plan expected of a step, the mean of all pipelines, and the slowest. */
static void print_stages(const atl_run_summary_t *summary, FILE *out) {
  const atl_plan_t *plan = summary->plan;
  if (!plan || plan->n_stages == 0) return;
  fprintf(out, "\n%-14s %11s %11s %11s %11s   ms a step of %" PRId32 " samples\n", "stages", "layers", "predicted",
          "measured", "slowest", plan->microbatch);
  for (int32_t s = 0; s < plan->n_stages; s++) {
    double sum = 0, slowest = 0;
    int n = 0;
    for (int32_t i = 0; i < summary->n_reports; i++) {
      int32_t i_pipeline, i_stage;
      if (!atl_diagnosis_parse_stage(summary->reports[i].role, &i_pipeline, &i_stage) || i_stage != s) continue;
      double seconds = atl_diagnosis_step_seconds(&summary->reports[i]);
      sum += seconds;
      if (seconds > slowest) slowest = seconds;
      n++;
    }
    char stage[32], layers[32];
    snprintf(stage, sizeof stage, "stage %" PRId32, s);
    snprintf(layers, sizeof layers, "%" PRId32 "..%" PRId32, plan->first_layer[s], plan->first_layer[s + 1] - 1);
    fprintf(out, "%-14s %11s %11.4g %11.4g %11.4g\n", stage, layers, 1e3 * plan->stage_seconds[s], 1e3 * per(sum, n),
            1e3 * slowest);
  }
}

static void print_diagnosis(const atl_run_summary_t *summary, FILE *out) {
  atl_diagnosis_t d;
  atl_diagnosis_make(summary, &d);
  if (d.n_stages == 0) return;
  fprintf(out, "\nthe stages' time: drawing %.1f %%, texts %.1f %%, decoding %.1f %%, coordinating %.1f %%\n",
          100 * d.work, 100 * d.prefill, 100 * d.decode, 100 * d.coordination);
  fprintf(
      out,
      "  waiting: imbalance %.1f %%, slots %.1f %%, fill and drain %.1f %%, tail %.1f %%, back-pressure %.1f %%; other "
      "%.1f %%\n",
      100 * d.imbalance, 100 * d.slots, 100 * d.fill, 100 * d.tail, 100 * d.back_pressure, 100 * d.other);
  if (d.decoder_load > 0) fprintf(out, "  decoders are busy %.1f %% of the time\n", 100 * d.decoder_load);
  if (d.advice[0] != '\0') fprintf(out, "advice: %s\n", d.advice);
}

typedef struct {
  const char *kind; /* "stage" of "stage 0.1"; borrowed */
  size_t n_kind;
  int32_t n;
  double busy, busiest, waiting;
} kind_t;

/* Adds a role to the row of its kind; there are only a few. */
static void add_to_kind(kind_t *kinds, int *n_kinds, int max_kinds, const atl_report_t *report) {
  size_t n_kind = strcspn(report->role, " ");
  int i = 0;
  while (i < *n_kinds && !(kinds[i].n_kind == n_kind && memcmp(kinds[i].kind, report->role, n_kind) == 0)) i++;
  if (i == max_kinds) return;
  if (i == *n_kinds) kinds[(*n_kinds)++] = (kind_t){.kind = report->role, .n_kind = n_kind};
  kinds[i].n++;
  kinds[i].busy += report->busy;
  kinds[i].waiting += report->waiting;
  if (report->busy > kinds[i].busiest) kinds[i].busiest = report->busy;
}

/* Balance is mean / largest busy time: what is below 1 is what the slowest of a kind costs the others. */
static void print_kinds(const atl_run_summary_t *summary, const atl_report_t **sorted, FILE *out) {
  kind_t kinds[8];
  int n_kinds = 0;
  for (int32_t i = 0; i < summary->n_reports; i++) add_to_kind(kinds, &n_kinds, 8, sorted[i]);
  fprintf(out, "\n%-14s %6s %9s %9s %9s %9s\n", "roles", "count", "busy", "busiest", "waiting", "balance");
  for (int i = 0; i < n_kinds; i++)
    fprintf(out, "%-14.*s %6" PRId32 " %8.1f%% %8.1f%% %8.1f%% %9.3f\n", (int)kinds[i].n_kind, kinds[i].kind,
            kinds[i].n, 100 * per(kinds[i].busy / kinds[i].n, summary->seconds),
            100 * per(kinds[i].busiest, summary->seconds), 100 * per(kinds[i].waiting / kinds[i].n, summary->seconds),
            per(kinds[i].busy / kinds[i].n, kinds[i].busiest));
}

static void print_seconds(double part, double whole, FILE *out) {
  fprintf(out, " %9.2f %4.0f%%", part, 100 * per(part, whole));
}

static void print_roles(const atl_run_summary_t *summary, const atl_report_t **sorted, FILE *out) {
  fprintf(out, "\n%6s %-14s", "rank", "role");
  static const char *const the_parts[] = {"busy", "waiting", "credit", "prefill", "draw", "poke", "score", "io"};
  for (size_t i = 0; i < sizeof the_parts / sizeof the_parts[0]; i++) fprintf(out, " %9s %5s", the_parts[i], "");
  fprintf(out, " %10s %10s %9s %9s %9s\n", "rows", "steps", "plan MiB", "peak MiB", "own MiB");
  for (int32_t i = 0; i < summary->n_reports; i++) {
    const atl_report_t *report = sorted[i];
    const double parts[] = {report->busy, report->waiting, report->credit, report->prefill,
                            report->draw, report->poke,    report->score,  report->io};
    fprintf(out, "%6" PRId32 " %-14.31s", report->rank, report->role);
    for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) print_seconds(parts[j], summary->seconds, out);
    double planned = summary->plan != NULL ? (double)atl_plan_bytes_of_rank(summary->plan, report->rank) : 0;
    fprintf(out, " %10" PRIu64 " %10" PRIu64 " %9.1f %9.1f %9.1f\n", report->n_rows, report->n_steps, planned / 0x1p20,
            (double)report->resident_bytes / 0x1p20, (double)report->peak_bytes / 0x1p20);
  }
  fprintf(
      out,
      "\nseconds, and shares of the run's time; credit is a part of waiting; prefill, draw, poke and score are parts "
      "of busy\n"
      "memory is the rank's, the same for all its roles: what the plan says, what the system gave it at most, and what "
      "the program itself asked for\n");
}

atl_status_t atl_report_print(const atl_run_summary_t *summary, FILE *out) {
  const atl_report_t **sorted;
  ATL_TRY(ATL_NEW(summary->n_reports, &sorted));
  for (int32_t i = 0; i < summary->n_reports; i++) sorted[i] = &summary->reports[i];
  qsort(sorted, (size_t)summary->n_reports, sizeof *sorted, compare_reports);
  print_rates(summary, out);
  print_prediction(summary, out);
  print_stages(summary, out);
  print_diagnosis(summary, out);
  if (summary->n_reports > 0) {
    print_kinds(summary, sorted, out);
    print_roles(summary, sorted, out);
  }
  ATL_DESTROY(&sorted);
  return ATL_OK;
}
