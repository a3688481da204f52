#include "coordinator/runfolder/report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/memory.h"
#include "common/timer.h"
#include "coordinator/runfolder/diagnosis.h"

static double per(double amount, double unit) { return unit > 0 ? amount / unit : 0; }

/* Orders reports by rank; on a rank by role and its indices. */
static int compare_reports(const void *a, const void *b) {
  const atl_report_t *x = *(const atl_report_t *const *)a, *y = *(const atl_report_t *const *)b;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
  return atl_role_compare(&x->role, &y->role);
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

/* Resident bytes of the fullest rank; all roles of a rank report the same peak. */
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

/* One row per stage: predicted seconds of a step, the mean over all pipelines, and the slowest. */
static void print_stages(const atl_run_summary_t *summary, FILE *out) {
  const atl_plan_t *plan = summary->plan;
  if (!plan || plan->n_stages == 0) return;
  fprintf(out, "\n%-14s %11s %11s %11s %11s   ms a step of %" PRId32 " samples\n", "stages", "layers", "predicted",
          "measured", "slowest", plan->microbatch);
  for (int32_t s = 0; s < plan->n_stages; s++) {
    double sum = 0, slowest = 0;
    int n = 0;
    for (int32_t i = 0; i < summary->n_reports; i++) {
      const atl_role_t *role = &summary->reports[i].role;
      if (role->kind != ATL_ROLE_STAGE || role->i_stage != s) continue;
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
  int32_t n;
  double busy, busiest, waiting;
} kind_t;

static void add_to_kind(kind_t *kind, const atl_report_t *report) {
  kind->n++;
  kind->busy += report->busy;
  kind->waiting += report->waiting;
  if (report->busy > kind->busiest) kind->busiest = report->busy;
}

/* Prints the row of one kind of role. */
static void print_kind(atl_role_kind_t kind, const kind_t *k, double seconds, FILE *out) {
  fprintf(out, "%-14s %6" PRId32 " %8.1f%% %8.1f%% %8.1f%% %9.3f\n", atl_role_kind_name(kind), k->n,
          100 * per(k->busy / k->n, seconds), 100 * per(k->busiest, seconds), 100 * per(k->waiting / k->n, seconds),
          per(k->busy / k->n, k->busiest));
}

/* One row per kind of role, in the order of the sorted reports. Balance is mean / largest busy time: what is missing to
 * 1 is lost waiting for the slowest of the kind. */
static void print_kinds(const atl_run_summary_t *summary, const atl_report_t **sorted, FILE *out) {
  kind_t kinds[ATL_N_ROLES] = {0};
  atl_role_kind_t order[ATL_N_ROLES];
  int n_kinds = 0;
  for (int32_t i = 0; i < summary->n_reports; i++) {
    atl_role_kind_t kind = sorted[i]->role.kind;
    if (kinds[kind].n == 0) order[n_kinds++] = kind;
    add_to_kind(&kinds[kind], sorted[i]);
  }
  fprintf(out, "\n%-14s %6s %9s %9s %9s %9s\n", "roles", "count", "busy", "busiest", "waiting", "balance");
  for (int i = 0; i < n_kinds; i++) print_kind(order[i], &kinds[order[i]], summary->seconds, out);
}

static void print_seconds(double part, double whole, FILE *out) {
  fprintf(out, " %9.2f %4.0f%%", part, 100 * per(part, whole));
}

static void print_roles(const atl_run_summary_t *summary, const atl_report_t **sorted, FILE *out) {
  fprintf(out, "\n%6s %-14s", "rank", "role");
  static const char *const part_names[] = {"busy", "waiting", "blocked", "prefill", "draw", "progress", "score", "io"};
  for (size_t i = 0; i < sizeof part_names / sizeof part_names[0]; i++) fprintf(out, " %9s %5s", part_names[i], "");
  fprintf(out, " %10s %10s %9s %9s %9s\n", "rows", "steps", "plan MiB", "peak MiB", "own MiB");
  for (int32_t i = 0; i < summary->n_reports; i++) {
    const atl_report_t *report = sorted[i];
    char role[ATL_ROLE_BYTES];
    const double parts[] = {report->busy, report->waiting,  report->backpressure, report->prefill,
                            report->draw, report->progress, report->score,        report->io};
    fprintf(out, "%6" PRId32 " %-14s", report->rank, atl_role_describe(&report->role, role));
    for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) print_seconds(parts[j], summary->seconds, out);
    double planned = summary->plan != NULL ? (double)atl_plan_bytes_of_rank(summary->plan, report->rank) : 0;
    fprintf(out, " %10" PRIu64 " %10" PRIu64 " %9.1f %9.1f %9.1f\n", report->n_rows, report->n_steps, planned / 0x1p20,
            (double)report->resident_bytes / 0x1p20, (double)report->peak_bytes / 0x1p20);
  }
  fprintf(
      out,
      "\nseconds, and shares of the run's time; blocked is a part of waiting; prefill, draw, progress and score are "
      "parts "
      "of busy\n"
      "memory is the rank's, the same for all its roles: planned, peak resident size, and peak of the program's own "
      "allocations\n");
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
