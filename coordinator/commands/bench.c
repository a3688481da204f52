/* atelier bench: measures this machine's ceilings and how close the parts of a model come to them. Under mpirun all
 * ranks measure the ring together; then the other ranks end and rank 0 measures the rest alone. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"
#include "coordinator/commands/bench_report.h"
#include "coordinator/commands/command.h"
#include "model/transformer/kvcache.h"
#include "model/transformer/transformer.h"
#include "partition/measure.h"

typedef struct {
  const char *model, *dtype, *kv, *kernels, *rows, *batch, *only, *json, *compare;
  double seconds;
  int64_t working_set;
  bool backends;
} settings_t;

#define ALL_KINDS "ring,linears,attention,layers,steps,sampling,images,job"

#define FIELD(name) offsetof(settings_t, name)
static const atl_option_t options[] = {
    {"model", ATL_OPTION_TEXT, FIELD(model), "DIR", NULL,
     "measure the model directory DIR (default: only the machine's ceilings); `atelier convert --random` writes one of "
     "any shape"},
    {"dtype", ATL_OPTION_TEXT, FIELD(dtype), "NAME", "f32", "compute with weights in f32 or bf16"},
    {"kv", ATL_OPTION_TEXT, FIELD(kv), "NAME", "auto",
     "store the cache as auto (as --dtype), f32, bf16 or int8, which takes half of bf16's memory"},
    {"kernels", ATL_OPTION_TEXT, FIELD(kernels), "LIST", "auto",
     "measure linear layers with these backends: " ATL_BACKEND_NAMES
     ", separated by commas, or all; whole networks use the first one, or auto with all"},
    {"backends", ATL_OPTION_FLAG, FIELD(backends), NULL, NULL,
     "list the backends and whether this build and CPU have them, then exit"},
    {"rows", ATL_OPTION_TEXT, FIELD(rows), "LIST", "1,8,32,64,128,512", "measure linear layers with these row counts"},
    {"batch", ATL_OPTION_TEXT, FIELD(batch), "LIST", "1,8,32", "measure steps with these batch sizes, in samples"},
    {"only", ATL_OPTION_TEXT, FIELD(only), "LIST", ALL_KINDS,
     "measure only these parts; ring needs two or more ranks; job is computed from the ceilings"},
    {"seconds", ATL_OPTION_REAL, FIELD(seconds), "S", "0.3", "repeat each measurement for S seconds"},
    {"working-set", ATL_OPTION_BYTES, FIELD(working_set), "BYTES", NULL,
     "read BYTES before reading any byte again (default: four times the last-level caches, at least 256M and at "
     "most "
     "1G)"},
    {"json", ATL_OPTION_TEXT, FIELD(json), "FILE", NULL, "write the results to FILE as JSON"},
    {"compare", ATL_OPTION_TEXT, FIELD(compare), "FILE", NULL,
     "show the results of an earlier --json FILE beside the new ones"},
    {0},
};

static const atl_usage_t usage = {
    .command = "bench",
    .synopsis = "[--model DIR] [options]",
    .summary = "Measures this machine's ceilings and how close the parts of a model come to them.",
    .examples =
        "  atelier convert --random dalle-1024-full --storage bf16 --out bench-model\n"
        "  OMP_NUM_THREADS=2 atelier bench --model bench-model --dtype bf16 --kernels avx512,onednn --json now.json\n"
        "  atelier bench --model bench-model --only steps --compare now.json\n"
        "  mpirun -n 2 --bind-to none atelier bench --model bench-model --only ring\n",
    .options = options,
};

enum { MAX_LIST = 16, MAX_TEXT = 256 };

typedef struct {
  atl_bench_t bench;
  atl_bench_report_t report;
  atl_model_t *model;
  json_t *before; /* results of --compare; NULL: none */
  const char *only;
  atl_backend_t backends[MAX_LIST];
  int64_t rows[MAX_LIST], batches[MAX_LIST];
  int n_backends, n_rows, n_batches;
} run_t;

enum { N_ROUNDS = 200 }; /* rounds of the ring per batch size */

/* ---- reading the options ---- */

static atl_status_t read_numbers(const char *option, const char *text, int64_t *numbers, int *n) {
  char *end;
  *n = 0;
  for (const char *next = text;; next = end + 1) {
    errno = 0;
    long long number = strtoll(next, &end, 10);
    ATL_CHECK(end != next && (*end == ',' || *end == '\0') && errno == 0 && number >= 1 && number <= 4096, USAGE,
              "--%s %s: expected integers from 1 to 4096, separated by commas", option, text);
    ATL_CHECK(*n < MAX_LIST, USAGE, "--%s %s: expected at most %d integers", option, text, MAX_LIST);
    numbers[(*n)++] = number;
    if (*end == '\0') return ATL_OK;
  }
}

static void take_all_backends(run_t *run) {
  for (int b = ATL_BACKEND_PLAIN + 1; b < ATL_N_BACKENDS; b++)
    if (atl_backend_is_available((atl_backend_t)b, run->bench.dtype))
      run->backends[run->n_backends++] = (atl_backend_t)b;
}

static atl_status_t read_backends(const char *text, run_t *run) {
  char copy[MAX_TEXT], *rest = copy;
  ATL_CHECK(strlen(text) < sizeof copy, USAGE, "--kernels: the list is too long");
  memcpy(copy, text, strlen(text) + 1);
  bool is_all = strcmp(text, "all") == 0;
  if (is_all)
    take_all_backends(run);
  else
    for (char *name = strtok_r(copy, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
      ATL_CHECK(run->n_backends < MAX_LIST, USAGE, "--kernels: expected at most %d names", MAX_LIST);
      ATL_TRY(atl_backend_find(name, &run->backends[run->n_backends]));
      ATL_CHECK(atl_backend_is_available(run->backends[run->n_backends], run->bench.dtype), UNSUPPORTED,
                "--kernels %s: this processor cannot run it with %s; try all", name, atl_dtype_name(run->bench.dtype));
      run->n_backends++;
    }
  ATL_CHECK(run->n_backends > 0, USAGE, "--kernels: expected at least one name");
  run->bench.backend = is_all ? ATL_BACKEND_AUTO : run->backends[0];
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
  for (const char *word = only; *word != '\0';) {
    char name[16];
    size_t n = strcspn(word, ",");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), word);
    ATL_CHECK(n < sizeof name && is_wanted(ALL_KINDS, name), USAGE, "--only '%s': expected one or more of %s", name,
              ALL_KINDS);
    word += n + (word[n] == ',');
  }
  return ATL_OK;
}

static atl_status_t read_settings(const settings_t *settings, run_t *run) {
  run->only = settings->only;
  run->bench.seconds = settings->seconds;
  ATL_CHECK(settings->seconds > 0 && settings->seconds <= 60, USAGE, "--seconds %g: expected more than 0, at most 60",
            settings->seconds);
  ATL_CHECK(settings->working_set >= 0 && settings->working_set <= INT64_C(1) << 40, USAGE,
            "--working-set %lld: expected bytes up to 1T", (long long)settings->working_set);
  run->bench.working_set_bytes = (size_t)settings->working_set;
  run->bench.dtype = atl_dtype_find(settings->dtype, strlen(settings->dtype));
  ATL_CHECK(run->bench.dtype == ATL_F32 || run->bench.dtype == ATL_BF16, USAGE, "--dtype %s: expected f32 or bf16",
            settings->dtype);
  ATL_TRY(atl_status_prefix(atl_kvcache_find_dtype(settings->kv, run->bench.dtype, &run->bench.kv), "--"));
  ATL_TRY(read_backends(settings->kernels, run));
  ATL_TRY(read_numbers("rows", settings->rows, run->rows, &run->n_rows));
  ATL_TRY(read_numbers("batch", settings->batch, run->batches, &run->n_batches));
  if (settings->compare != NULL) ATL_TRY(atl_bench_report_load(settings->compare, &run->before));
  run->report = (atl_bench_report_t){.bench = &run->bench, .before = run->before};
  return settings->model != NULL ? atl_model_open(settings->model, &run->model) : ATL_OK;
}

/* ---- the run ---- */

/* Measures the ring for each batch size: packets of a microbatch travel forwards through hops, its image tokens
 * return. */
static atl_status_t measure_hops(run_t *run, const atl_comm_t *world) {
  for (int i = 0; i < run->n_batches; i++) {
    const atl_ring_load_t load = {.n_rows = (int32_t)run->batches[i],
                                  .row_width = atl_transformer_row_width(&run->model->transformer_config),
                                  .n_slots = 1,
                                  .n_rounds = N_ROUNDS};
    atl_ring_times_t times;
    ATL_TRY(atl_measure_ring(world, &load, &times));
    const atl_bound_t carried = {.bytes = times.bytes};
    ATL_TRY(atl_bench_add(&run->bench, times.hop, &carried, "ring hop ranks=%d rows=%d", atl_comm_size(world),
                          (int)load.n_rows));
  }
  return ATL_OK;
}

/* Collective over the launch: measures the ring if has_ring, then stops MPI. Everything after it runs on rank 0
 * alone. */
static atl_status_t measure_together(run_t *run, bool has_ring, int argc, char **argv) {
  atl_comm_t *world;
  ATL_TRY(atl_comm_start(&argc, &argv, &world));
  int size = atl_comm_size(world);
  atl_status_t status = has_ring && size > 1 ? measure_hops(run, world) : ATL_OK;
  if (has_ring && size == 1)
    printf("ring: needs two ranks or more; try mpirun -n 2 --bind-to none atelier bench ...\n\n");
  atl_comm_stop(&world);
  return status;
}

static atl_status_t measure_transformer(run_t *run) {
  atl_bench_t *bench = &run->bench;
  const atl_transformer_config_t *config = &run->model->transformer_config;
  if (is_wanted(run->only, "linears")) {
    ATL_TRY(atl_bench_linears(bench, config, run->backends, run->n_backends, run->rows, run->n_rows));
    atl_bench_report_new(&run->report);
    atl_bench_report_ratios(&run->report, run->backends, run->n_backends, run->rows, run->n_rows);
  }
  if (is_wanted(run->only, "attention")) ATL_TRY(atl_bench_attention(bench, config, run->batches, run->n_batches));
  atl_bench_report_new(&run->report);
  if (is_wanted(run->only, "layers")) ATL_TRY(atl_bench_layers(bench, run->model, run->batches, run->n_batches));
  atl_bench_report_new(&run->report);
  if (is_wanted(run->only, "steps")) ATL_TRY(atl_bench_steps(bench, run->model, run->batches, run->n_batches));
  atl_bench_report_new(&run->report);
  if (is_wanted(run->only, "sampling")) ATL_TRY(atl_bench_sampling(bench, config, run->batches, run->n_batches));
  return is_wanted(run->only, "job") ? atl_bench_jobs(bench, config, run->batches, run->n_batches) : ATL_OK;
}

static atl_status_t measure(run_t *run) {
  atl_bench_report_heading(&run->report);
  atl_bench_report_new(&run->report);
  if (run->model->has_transformer) ATL_TRY(measure_transformer(run));
  if (is_wanted(run->only, "images")) ATL_TRY(atl_bench_images(&run->bench, run->model));
  atl_bench_report_new(&run->report);
  atl_bench_report_jobs(&run->report);
  ATL_TRY(atl_bench_finish(&run->bench));
  atl_bench_report_end(&run->report);
  return ATL_OK;
}

static atl_status_t run_bench(const settings_t *settings, run_t *run, int argc, char **argv) {
  ATL_TRY(check_wanted(settings->only));
  ATL_TRY(read_settings(settings, run));
  bool has_ring = run->model != NULL && run->model->has_transformer && is_wanted(run->only, "ring");
  if (has_ring || atl_comm_is_launched()) ATL_TRY(measure_together(run, has_ring, argc, argv));
  if (atl_comm_world_rank() > 0) return ATL_OK;
  ATL_TRY(atl_bench_init(&run->bench));
  atl_bench_report_backends();
  atl_bench_report_ceilings(&run->report);
  if (run->model != NULL) ATL_TRY(measure(run));
  return settings->json != NULL
             ? atl_bench_report_save(&run->report, run->model != NULL ? run->model->name : NULL, settings->json)
             : ATL_OK;
}

atl_status_t atl_command_bench(int argc, char **argv, const atl_worker_ops_t *worker_ops) {
  settings_t settings;
  run_t run = {0};
  bool wants_help;
  (void)worker_ops;
  ATL_TRY(atl_options_parse(&usage, argc, argv, &settings, NULL, &wants_help));
  if (wants_help) {
    atl_options_help(&usage, stdout);
    return ATL_OK;
  }
  if (settings.backends) {
    atl_bench_report_backends();
    return ATL_OK;
  }
  atl_status_t status = run_bench(&settings, &run, argc, argv);
  atl_bench_clear(&run.bench);
  atl_model_destroy(&run.model);
  json_decref(run.before);
  return status;
}
