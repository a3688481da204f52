/* atelier bench: what this machine can do at most, and how near to it a model's parts come. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/options.h"
#include "common/timer.h"
#include "common/version.h"
#include "coordinator/command.h"
#include "model/bench/bench.h"
#include "model/kernels/cpu.h"

typedef struct {
  const char *model, *dtype, *kernels, *rows, *batch, *only, *json, *compare;
  double seconds;
} settings_t;

#define FIELD(name) offsetof(settings_t, name)
static const atl_option_t the_options[] = {
    {"model", ATL_OPTION_TEXT, FIELD(model), "DIR", NULL,
     "model directory; atelier convert --random makes one of any shape. Without: the machine's ceilings only"},
    {"dtype", ATL_OPTION_TEXT, FIELD(dtype), "NAME", "f32", "f32, or bf16 for weights and cache"},
    {"kernels", ATL_OPTION_TEXT, FIELD(kernels), "LIST", "auto",
     "of linear layers: auto, plain, avx2, avx512, amx, openblas, onednn, joined by commas, or all; the first one also "
     "for networks"},
    {"rows", ATL_OPTION_TEXT, FIELD(rows), "LIST", "1,4,8,32,128", "rows a linear layer is given"},
    {"batch", ATL_OPTION_TEXT, FIELD(batch), "LIST", "1,8,32", "samples of a step"},
    {"only", ATL_OPTION_TEXT, FIELD(only), "LIST", "linears,layers,steps,sampling,images", "what to measure"},
    {"seconds", ATL_OPTION_REAL, FIELD(seconds), "S", "0.3", "to repeat each measurement for"},
    {"json", ATL_OPTION_TEXT, FIELD(json), "FILE", NULL, "write the numbers here"},
    {"compare", ATL_OPTION_TEXT, FIELD(compare), "FILE", NULL, "numbers of an earlier --json, shown beside the new"},
    {0},
};

static const atl_usage_t the_usage = {
    .command = "bench",
    .synopsis = "[--model DIR] [options]",
    .summary = "Measures this machine's ceilings and how near to them a model's parts come.",
    .examples =
        "  atelier convert --random dalle-1024-full --storage bf16 --out bench-model\n"
        "  OMP_NUM_THREADS=2 atelier bench --model bench-model --dtype bf16 --kernels avx512,onednn --json now.json\n"
        "  atelier bench --model bench-model --only steps --compare now.json\n",
    .options = the_options,
};

enum { MAX_LIST = 16, MAX_TEXT = 256 };

typedef struct {
  atl_bench_t bench;
  atl_model_t *model;
  json_t *before; /* entries of --compare: name -> seconds; NULL without */
  atl_backend_t backends[MAX_LIST];
  int64_t rows[MAX_LIST], batches[MAX_LIST];
  int n_backends, n_rows, n_batches;
  size_t n_printed;
} run_t;

/* ---- reading the options ---- */

static atl_status_t read_numbers(const char *option, const char *text, int64_t *numbers, int *n) {
  char *end;
  *n = 0;
  for (const char *next = text;; next = end + 1) {
    errno = 0;
    long long number = strtoll(next, &end, 10);
    ATL_CHECK(end != next && (*end == ',' || *end == '\0') && errno == 0 && number >= 1 && number <= 4096, USAGE,
              "--%s %s: expected numbers from 1 to 4096 joined by commas", option, text);
    ATL_CHECK(*n < MAX_LIST, USAGE, "--%s %s: more than %d numbers", option, text, MAX_LIST);
    numbers[(*n)++] = number;
    if (*end == '\0') return ATL_OK;
  }
}

static void take_all_backends(run_t *run) {
  for (atl_backend_t backend = ATL_BACKEND_AVX2; backend <= ATL_BACKEND_ONEDNN; backend++)
    if (atl_backend_is_available(backend, run->bench.dtype)) run->backends[run->n_backends++] = backend;
}

static atl_status_t read_backends(const char *text, run_t *run) {
  char copy[MAX_TEXT], *rest = copy;
  ATL_CHECK(strlen(text) < sizeof copy, USAGE, "--kernels: the list is too long");
  memcpy(copy, text, strlen(text) + 1);
  if (strcmp(text, "all") == 0)
    take_all_backends(run);
  else
    for (char *name = strtok_r(copy, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
      ATL_CHECK(run->n_backends < MAX_LIST, USAGE, "--kernels: more than %d names", MAX_LIST);
      ATL_TRY(atl_backend_find(name, &run->backends[run->n_backends]));
      ATL_CHECK(atl_backend_is_available(run->backends[run->n_backends], run->bench.dtype), UNSUPPORTED,
                "--kernels %s: this processor cannot run it with %s; try all", name, atl_dtype_name(run->bench.dtype));
      run->n_backends++;
    }
  ATL_CHECK(run->n_backends > 0, USAGE, "--kernels: expected at least one name");
  run->bench.backend = run->backends[0];
  return ATL_OK;
}

static bool is_wanted(const char *only, const char *what) {
  size_t n = strlen(what);
  for (const char *next = only; next != NULL; next = strchr(next, ',')) {
    next += *next == ',';
    if (strncmp(next, what, n) == 0 && (next[n] == ',' || next[n] == '\0')) return true;
  }
  return false;
}

static atl_status_t check_wanted(const char *only) {
  static const char the_kinds[] = "linears,layers,steps,sampling,images";
  for (const char *word = only; *word != '\0';) {
    char name[16];
    size_t n = strcspn(word, ",");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), word);
    ATL_CHECK(n < sizeof name && is_wanted(the_kinds, name), USAGE, "--only '%s': expected some of %s", name,
              the_kinds);
    word += n + (word[n] == ',');
  }
  return ATL_OK;
}

/* name -> seconds of the entries of an earlier run. */
static atl_status_t read_before(const char *path, json_t **before) {
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
  *before = names; /* the caller's, also on failure */
  ATL_CHECK(n > 0, INPUT, "%s: expected the output of atelier bench --json, found no entries", path);
  return ATL_OK;
}

static atl_status_t read_settings(const settings_t *settings, run_t *run) {
  run->bench.seconds = settings->seconds;
  ATL_CHECK(settings->seconds > 0 && settings->seconds <= 60, USAGE, "--seconds %g: expected more than 0, at most 60",
            settings->seconds);
  run->bench.dtype = atl_dtype_find(settings->dtype, strlen(settings->dtype));
  ATL_CHECK(run->bench.dtype == ATL_F32 || run->bench.dtype == ATL_BF16, USAGE, "--dtype %s: expected f32 or bf16",
            settings->dtype);
  ATL_TRY(read_backends(settings->kernels, run));
  ATL_TRY(read_numbers("rows", settings->rows, run->rows, &run->n_rows));
  ATL_TRY(read_numbers("batch", settings->batch, run->batches, &run->n_batches));
  if (settings->compare != NULL) ATL_TRY(read_before(settings->compare, &run->before));
  return settings->model != NULL ? atl_model_open(settings->model, &run->model) : ATL_OK;
}

/* ---- output ---- */

static void print_ceilings(const atl_bench_t *bench) {
  char cpu[64];
  printf("%s, %d threads, %s\n\n", atl_cpu_describe(cpu, sizeof cpu), bench->n_threads, atl_dtype_name(bench->dtype));
  printf("%-24s %12s %12s\n", "ceiling", "one thread", "all threads");
  printf("%-24s %12.1f %12.1f\n", "reading memory, GB/s", bench->one.read_bytes / 1e9, bench->all.read_bytes / 1e9);
  printf("%-24s %12.1f %12.1f\n", "fp32, GFLOP/s", bench->one.f32_flops / 1e9, bench->all.f32_flops / 1e9);
  printf("%-24s %12.1f %12.1f\n\n", "bf16, GFLOP/s", bench->one.bf16_flops / 1e9, bench->all.bf16_flops / 1e9);
}

static void print_heading(const run_t *run) {
  printf("%-46s %12s %9s %8s %8s%s\n", "what", "microseconds", "GFLOP/s", "GB/s", "of bound",
         run->before != NULL ? "   before  before/now" : "");
}

/* A number, or a dash where there is none. */
static void print_number(int width, int digits, double value, const char *unit) {
  if (value > 0)
    printf(" %*.*f%s", width, digits, value, unit);
  else
    printf(" %*s%*s", width, "-", (int)strlen(unit), "");
}

/* What has been measured since the last call. */
static void print_new(run_t *run) {
  for (; run->n_printed < run->bench.n_entries; run->n_printed++) {
    const atl_bench_entry_t *entry = &run->bench.entries[run->n_printed];
    printf("%-46s %12.1f", entry->name, entry->seconds * 1e6);
    print_number(9, 1, entry->flops / entry->seconds / 1e9, "");
    print_number(8, 1, entry->bytes / entry->seconds / 1e9, "");
    print_number(7, 0, 100 * entry->bound_seconds / entry->seconds, "%");
    json_t *before = run->before != NULL ? json_object_get(run->before, entry->name) : NULL;
    if (before != NULL)
      printf(" %10.1f %8.2f", json_number_value(before) * 1e6, json_number_value(before) / entry->seconds);
    printf("\n");
  }
  fflush(stdout);
}

static json_t *ceiling_to_json(const atl_ceiling_t *ceiling) {
  return json_pack("{s:f, s:f, s:f}", "read_bytes", ceiling->read_bytes, "f32_flops", ceiling->f32_flops, "bf16_flops",
                   ceiling->bf16_flops);
}

static atl_status_t save(const run_t *run, const char *path) {
  char cpu[64], stamp[32];
  json_t *entries = json_array();
  for (size_t i = 0; i < run->bench.n_entries; i++) {
    const atl_bench_entry_t *e = &run->bench.entries[i];
    json_array_append_new(entries, json_pack("{s:s, s:f, s:f, s:f, s:f}", "name", e->name, "seconds", e->seconds,
                                             "bound_seconds", e->bound_seconds, "flops", e->flops, "bytes", e->bytes));
  }
  json_t *root =
      json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:o}", "atelier", ATL_VERSION, "git", ATL_GIT_DESCRIBE,
                "when", atl_timer_stamp(stamp), "cpu", atl_cpu_describe(cpu, sizeof cpu), "threads",
                run->bench.n_threads, "dtype", atl_dtype_name(run->bench.dtype), "one_thread",
                ceiling_to_json(&run->bench.one), "all_threads", ceiling_to_json(&run->bench.all), "entries", entries);
  if (run->model != NULL) json_object_set_new(root, "model", json_string(run->model->name));
  atl_status_t status = atl_json_save(root, path);
  json_decref(root);
  return status;
}

/* ---- the run ---- */

static atl_status_t measure(run_t *run, const char *only) {
  atl_bench_t *bench = &run->bench;
  const atl_transformer_config_t *config = &run->model->transformer_config;
  bool has_transformer = run->model->has_transformer;
  print_heading(run);
  if (has_transformer && is_wanted(only, "linears"))
    ATL_TRY(atl_bench_linears(bench, config, run->backends, run->n_backends, run->rows, run->n_rows));
  print_new(run);
  if (has_transformer && is_wanted(only, "layers"))
    ATL_TRY(atl_bench_layers(bench, run->model, run->batches, run->n_batches));
  print_new(run);
  if (has_transformer && is_wanted(only, "steps"))
    ATL_TRY(atl_bench_steps(bench, run->model, run->batches, run->n_batches));
  print_new(run);
  if (has_transformer && is_wanted(only, "sampling")) ATL_TRY(atl_bench_sampling(bench, config));
  if (is_wanted(only, "images")) ATL_TRY(atl_bench_images(bench, run->model));
  print_new(run);
  return ATL_OK;
}

static atl_status_t run_bench(const settings_t *settings, run_t *run) {
  ATL_TRY(check_wanted(settings->only));
  ATL_TRY(read_settings(settings, run));
  ATL_TRY(atl_bench_init(&run->bench));
  print_ceilings(&run->bench);
  if (run->model != NULL) ATL_TRY(measure(run, settings->only));
  return settings->json != NULL ? save(run, settings->json) : ATL_OK;
}

atl_status_t atl_command_bench(int argc, char **argv) {
  settings_t settings;
  run_t run = {0};
  bool wants_help;
  ATL_TRY(atl_options_parse(&the_usage, argc, argv, &settings, NULL, &wants_help));
  if (wants_help) {
    atl_options_help(&the_usage, stdout);
    return ATL_OK;
  }
  atl_status_t status = run_bench(&settings, &run);
  atl_bench_clear(&run.bench);
  atl_model_destroy(&run.model);
  json_decref(run.before);
  return status;
}
