#include "coordinator/commands/bench_report.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/timer.h"
#include "common/version.h"
#include "model/kernels/cpu.h"

static const double drift_ratio = 1.25; /* of two measurements of a ceiling: above it the report warns */

atl_status_t atl_bench_report_load(const char *path, json_t **before) {
  json_t *root, *entry;
  size_t i;
  ATL_TRY(atl_json_load(path, &root));
  json_t *names = json_object();
  json_array_foreach(json_object_get(root, "entries"), i, entry) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    json_t *seconds = json_object_get(entry, "seconds");
    if (name != NULL && json_is_number(seconds)) json_object_set(names, name, seconds);
  }
  size_t n = json_object_size(names);
  json_decref(root);
  *before = names;
  ATL_CHECK(n > 0, INPUT, "%s: expected the output of atelier bench --json, found no entries", path);
  return ATL_OK;
}

/* ---- the table ---- */

static void print_ceiling(const char *what, double one, double all, const char *how) {
  printf("%-24s %12.1f %12.1f   %s\n", what, one / 1e9, all / 1e9, how);
}

void atl_bench_report_backends(void) {
  char text[256];
  for (int b = ATL_BACKEND_AUTO + 1; b < ATL_N_BACKENDS; b++)
    printf("%s\n", atl_backend_explain((atl_backend_t)b, text, sizeof text));
  printf("\n");
}

/* Warns if the caches may hold part of the working set: measured read bandwidths are then too high. */
static void print_working_set(const atl_bench_t *b) {
  double mib = 1 << 20;
  printf("working set %.0f MiB, last-level caches %.0f MiB", (double)b->working_set_bytes / mib,
         (double)b->cache_bytes / mib);
  if (atl_ceiling_is_cached(b->working_set_bytes, b->cache_bytes))
    printf(": the caches may hold part of it, so read bandwidths may be too high; try a larger --working-set");
  printf("\n\n");
}

void atl_bench_report_ceilings(const atl_bench_report_t *report) {
  const atl_bench_t *b = report->bench;
  char cpu[64];
  printf("%s, %d threads, %s\n\n", atl_cpu_describe(cpu, sizeof cpu), b->n_threads, atl_dtype_name(b->dtype));
  print_working_set(b);
  printf("%-24s %12s %12s   with\n", "ceiling", "one thread", "all threads");
  print_ceiling("reading memory, GB/s", b->one.read_bytes, b->all.read_bytes, b->all.read_way);
  print_ceiling("  half the time, GB/s", b->one.usual_read_bytes, b->all.usual_read_bytes, "");
  print_ceiling("fp32, GFLOP/s", b->one.f32_flops, b->all.f32_flops, b->all.f32_instruction);
  print_ceiling("bf16, GFLOP/s", b->one.bf16_flops, b->all.bf16_flops, b->all.bf16_instruction);
  printf("\n");
}

void atl_bench_report_heading(const atl_bench_report_t *report) {
  printf("%-46s %12s %9s %8s %8s %9s%s\n", "what", "microseconds", "GFLOP/s", "GB/s", "of bound", "by kernel",
         report->before != NULL ? "     before  before/now" : "");
}

/* Prints a positive value with its unit, or a dash. */
static void print_number(int width, int digits, double value, const char *unit) {
  if (value > 0)
    printf(" %*.*f%s", width, digits, value, unit);
  else
    printf(" %*s%*s", width, "-", (int)strlen(unit), "");
}

static void print_entry(const atl_bench_report_t *report, const atl_bench_entry_t *entry) {
  const atl_bound_t *bound = &entry->bound;
  printf("%-46s %12.1f", entry->name, entry->seconds * 1e6);
  print_number(9, 1, bound->flops / entry->seconds / 1e9, "");
  print_number(8, 1, bound->bytes / entry->seconds / 1e9, "");
  print_number(7, 0, 100 * bound->seconds / entry->seconds, "%");
  print_number(8, 0, 100 * bound->by_kernel_seconds / entry->seconds, "%");
  json_t *before = report->before != NULL ? json_object_get(report->before, entry->name) : NULL;
  if (before != NULL)
    printf(" %10.1f %11.2f", json_number_value(before) * 1e6, json_number_value(before) / entry->seconds);
  if (entry->is_cached) printf("   caches may hold part of it");
  if (entry->of_step > 0) printf("   %.2f%% of a step", 100 * entry->of_step);
  printf("\n");
}

void atl_bench_report_new(atl_bench_report_t *report) {
  for (; report->n_printed < report->bench->n_entries; report->n_printed++)
    print_entry(report, &report->bench->entries[report->n_printed]);
  fflush(stdout);
}

/* ---- our kernels against libraries ---- */

static const char *const layer_names[] = {"to_qkv", "to_out", "net.0", "net.3", "head"};
enum { N_LAYERS = sizeof layer_names / sizeof layer_names[0] };

static double linear_seconds(const atl_bench_t *bench, const char *layer, atl_backend_t backend, int64_t n_rows) {
  char name[96];
  snprintf(name, sizeof name, "linear %s %s rows=%lld", layer, atl_backend_name(backend), (long long)n_rows);
  const atl_bench_entry_t *entry = atl_bench_find(bench, name);
  return entry != NULL ? entry->seconds : 0;
}

static double fastest_own(const atl_bench_t *bench, const char *layer, const atl_backend_t *backends, int n_backends,
                          int64_t n_rows) {
  double fastest = 0;
  for (int i = 0; i < n_backends; i++) {
    double seconds = atl_backend_is_library(backends[i]) ? 0 : linear_seconds(bench, layer, backends[i], n_rows);
    if (seconds > 0 && (fastest <= 0 || seconds < fastest)) fastest = seconds;
  }
  return fastest;
}

void atl_bench_report_ratios(const atl_bench_report_t *report, const atl_backend_t *backends, int n_backends,
                             const int64_t *rows, int n_rows) {
  for (int i = 0; i < n_backends; i++) {
    if (!atl_backend_is_library(backends[i]) ||
        fastest_own(report->bench, layer_names[0], backends, n_backends, rows[0]) <= 0)
      continue;
    printf("\n%s: its time divided by our fastest kernel's; rows", atl_backend_name(backends[i]));
    for (int r = 0; r < n_rows; r++) printf(" %6lld", (long long)rows[r]);
    for (int layer = 0; layer < N_LAYERS; layer++) {
      printf("\n  %-46s", layer_names[layer]);
      for (int r = 0; r < n_rows; r++)
        printf(" %6.2f", linear_seconds(report->bench, layer_names[layer], backends[i], rows[r]) /
                             fastest_own(report->bench, layer_names[layer], backends, n_backends, rows[r]));
    }
    printf("\n");
  }
  printf("\n");
}

/* ---- whole images ---- */

void atl_bench_report_jobs(const atl_bench_report_t *report) {
  if (report->bench->n_jobs == 0) return;
  printf(
      "\nUpper bounds for a whole image, from the ceilings of all threads: everything overlapped (the roofline), and "
      "kernel after kernel\n%-24s %12s %12s %12s %12s\n",
      "", "tokens/s", "s/image", "tokens/s", "s/image");
  for (size_t i = 0; i < report->bench->n_jobs; i++) {
    const atl_bench_job_t *job = &report->bench->jobs[i];
    double batch = (double)job->batch, steps_an_image = job->n_positions / batch;
    char name[64];
    snprintf(name, sizeof name, "job batch=%lld", (long long)job->batch);
    printf("%-24s %12.1f %12.3f %12.1f %12.3f\n", name, batch / job->step.seconds, job->step.seconds * steps_an_image,
           batch / job->step.by_kernel_seconds, job->step.by_kernel_seconds * steps_an_image);
  }
}

void atl_bench_report_end(const atl_bench_report_t *report) {
  double before = report->bench->all.read_bytes / 1e9, after = report->bench->end.read_bytes / 1e9;
  bool has_changed = after > drift_ratio * before || before > drift_ratio * after;
  printf("\nMemory read bandwidth at the end: %.1f GB/s; at the start: %.1f GB/s%s\n", after, before,
         has_changed ? ": the machine's load has changed, so the shares of bound are unreliable; run bench again" : "");
}

/* ---- JSON ---- */

static json_t *ceiling_to_json(const atl_ceiling_t *c) {
  return json_pack("{s:f, s:f, s:s, s:f, s:s, s:f, s:s}", "read_bytes", c->read_bytes, "usual_read_bytes",
                   c->usual_read_bytes, "read_way", c->read_way, "f32_flops", c->f32_flops, "f32_instruction",
                   c->f32_instruction, "bf16_flops", c->bf16_flops, "bf16_instruction", c->bf16_instruction);
}

static json_t *machine_to_json(void) {
  struct utsname system;
  if (uname(&system) != 0) memset(&system, 0, sizeof system);
  return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "system", system.sysname, "release", system.release,
                   "architecture", system.machine, "processors", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
                   "memory_bytes", (json_int_t)sysconf(_SC_PHYS_PAGES) * (json_int_t)sysconf(_SC_PAGESIZE),
                   "cache_bytes", (json_int_t)atl_cpu_cache_bytes());
}

static json_t *entry_to_json(const atl_bench_entry_t *e) {
  json_t *object = json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "name", e->name, "seconds", e->seconds, "bound_seconds",
                             e->bound.seconds, "by_kernel_seconds", e->bound.by_kernel_seconds, "flops", e->bound.flops,
                             "bytes", e->bound.bytes);
  if (e->is_cached) json_object_set_new(object, "is_cached", json_true());
  if (e->of_step > 0) json_object_set_new(object, "of_step", json_real(e->of_step));
  return object;
}

static json_t *rate_to_json(const atl_bench_job_t *job, double step_seconds) {
  double batch = (double)job->batch;
  return json_pack("{s:f, s:f, s:f}", "step_seconds", step_seconds, "tokens_per_second", batch / step_seconds,
                   "seconds_per_image", step_seconds * job->n_positions / batch);
}

static json_t *job_to_json(const atl_bench_job_t *job) {
  return json_pack("{s:I, s:i, s:f, s:f, s:o, s:o}", "batch", (json_int_t)job->batch, "positions", job->n_positions,
                   "step_flops", job->step.flops, "step_bytes", job->step.bytes, "roofline",
                   rate_to_json(job, job->step.seconds), "by_kernel", rate_to_json(job, job->step.by_kernel_seconds));
}

atl_status_t atl_bench_report_save(const atl_bench_report_t *report, const char *model_name, const char *path) {
  const atl_bench_t *b = report->bench;
  char cpu[64], stamp[32];
  json_t *entries = json_array(), *jobs = json_array();
  for (size_t i = 0; i < b->n_entries; i++) json_array_append_new(entries, entry_to_json(&b->entries[i]));
  for (size_t i = 0; i < b->n_jobs; i++) json_array_append_new(jobs, job_to_json(&b->jobs[i]));
  json_t *root = json_pack("{s:s, s:s, s:s, s:o, s:s, s:i, s:s, s:o, s:o, s:o, s:o}", "atelier", ATL_VERSION, "git",
                           ATL_GIT_DESCRIBE, "when", atl_timer_stamp(stamp), "machine", machine_to_json(), "cpu",
                           atl_cpu_describe(cpu, sizeof cpu), "threads", b->n_threads, "dtype",
                           atl_dtype_name(b->dtype), "one_thread", ceiling_to_json(&b->one), "all_threads",
                           ceiling_to_json(&b->all), "entries", entries, "jobs", jobs);
  json_object_set_new(root, "working_set_bytes", json_integer((json_int_t)b->working_set_bytes));
  if (b->end.read_bytes > 0) json_object_set_new(root, "all_threads_at_end", ceiling_to_json(&b->end));
  if (model_name != NULL) json_object_set_new(root, "model", json_string(model_name));
  atl_status_t status = atl_json_save(root, path);
  json_decref(root);
  return status;
}
