/* atelier generate: draws, scores and ranks pictures for prompts. Rank 0 reads and checks all input before any rank
 * loads weights. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/log.h"
#include "common/options.h"
#include "common/stop.h"
#include "common/timer.h"
#include "common/utf8.h"
#include "coordinator/commands/command.h"
#include "coordinator/job/compute.h"
#include "coordinator/job/launch.h"
#include "coordinator/job/priming.h"
#include "coordinator/job/prompts.h"
#include "coordinator/job/tokenize.h"
#include "coordinator/plan/costs.h"
#include "coordinator/plan/measuring.h"
#include "coordinator/plan/planning.h"
#include "coordinator/runfolder/output.h"
#include "coordinator/runfolder/progress.h"
#include "coordinator/runfolder/provenance.h"
#include "coordinator/runfolder/utilization.h"

typedef struct {
  const char *model, *prompts, *out, *negative, *prime, *shard, *plan, *trace;
  atl_compute_words_t compute;
  atl_text_list_t prompt;
  int64_t samples, top, seed, top_k, prime_tokens, prime_rows;
  double temperature, top_p, filter_thres, guidance, patience;
  atl_layout_options_t layout;
  int64_t memory, png_level;
  bool greedy, truncate, no_rank, quiet, verbose, print_plan;
} settings_t;

#define FIELD(name) offsetof(settings_t, name)
static const atl_option_t options[] = {
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "What to draw"},
    {"model", ATL_OPTION_TEXT, FIELD(model), "DIR", NULL,
     "read the model directory DIR, as `atelier convert` writes it"},
    {"prompt", ATL_OPTION_TEXTS, FIELD(prompt), "TEXT", NULL, "draw pictures for TEXT; repeatable"},
    {"prompts", ATL_OPTION_TEXT, FIELD(prompts), "FILE", NULL,
     "read prompts from FILE: one per line, or JSON lines with prompt, id, samples and seed"},
    {"shard", ATL_OPTION_TEXT, FIELD(shard), "I/N", NULL,
     "draw only part I of N of the prompts; ids stay those of the whole file"},
    {"samples", ATL_OPTION_INT, FIELD(samples), "N", "16", "draw N candidates per prompt"},
    {"top", ATL_OPTION_INT, FIELD(top), "K", "16", "keep the K best pictures per prompt"},
    {"out", ATL_OPTION_TEXT, FIELD(out), "DIR", "out", "write the run folder DIR, which must be new or empty"},
    {"negative", ATL_OPTION_TEXT, FIELD(negative), "TEXT", NULL, "guide away from TEXT (default: from the empty text)"},
    {"prime", ATL_OPTION_TEXT, FIELD(prime), "IMAGE", NULL, "begin every candidate with the top part of a PNG picture"},
    {"prime-tokens", ATL_OPTION_INT, FIELD(prime_tokens), "N", "0",
     "take N image tokens from the --prime picture (0: 43.75 % of them)"},
    {"prime-rows", ATL_OPTION_INT, FIELD(prime_rows), "N", "0",
     "take N rows of image tokens from the --prime picture (0: see --prime-tokens)"},
    {"truncate", ATL_OPTION_FLAG, FIELD(truncate), NULL, NULL,
     "cut prompts that are too long instead of refusing them"},
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "Sampling"},
    {"seed", ATL_OPTION_INT, FIELD(seed), "N", "0",
     "set the seed; the same seed, prompt id and sample give the same picture on any layout"},
    {"temperature", ATL_OPTION_REAL, FIELD(temperature), "X", "1",
     "divide the logits by X before drawing; lower is safer, higher is more varied"},
    {"top-k", ATL_OPTION_INT, FIELD(top_k), "K", "0", "draw from the K most likely tokens (0: all)"},
    {"top-p", ATL_OPTION_REAL, FIELD(top_p), "P", "1",
     "draw from the most likely tokens whose probabilities add up to P"},
    {"filter-thres", ATL_OPTION_REAL, FIELD(filter_thres), "F", "-1",
     "leave out fraction F of the vocabulary, least likely tokens first, as DALLE-pytorch does (-1: off)"},
    {"guidance", ATL_OPTION_REAL, FIELD(guidance), "G", "1", "apply classifier-free guidance of scale G (1: none)"},
    {"greedy", ATL_OPTION_FLAG, FIELD(greedy), NULL, NULL, "take the most likely token instead of drawing"},
    {"no-rank", ATL_OPTION_FLAG, FIELD(no_rank), NULL, NULL, "do not score with CLIP; keep the order of the samples"},
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "Layout and precision (the layout never changes a picture)"},
    ATL_LAYOUT_OPTIONS(FIELD(layout)),
    {"memory", ATL_OPTION_BYTES, FIELD(memory), "BYTES", "0",
     "use at most BYTES of memory per rank (0: what is free at the start)"},
    {"plan", ATL_OPTION_TEXT, FIELD(plan), "FILE", NULL, "read the plan from FILE, as `atelier plan --json` prints it"},
    {"print-plan", ATL_OPTION_FLAG, FIELD(print_plan), NULL, NULL,
     "print the plan to standard error before running it"},
    ATL_COMPUTE_OPTION_DTYPE(FIELD(compute)),
    ATL_COMPUTE_OPTION_KV(FIELD(compute)),
    ATL_COMPUTE_OPTION_KERNELS(FIELD(compute)),
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "Output"},
    {"trace", ATL_OPTION_TEXT, FIELD(trace), "FILE", NULL,
     "write a timeline of all ranks to FILE, for ui.perfetto.dev"},
    {"png-level", ATL_OPTION_INT, FIELD(png_level), "N", "6", "compress PNG files at level N, 0 to 9"},
    {"patience", ATL_OPTION_REAL, FIELD(patience), "SECONDS", "0",
     "end the run when a rank has been silent for SECONDS (0: never; a warning names the rank after 30 s)"},
    {"quiet", ATL_OPTION_FLAG, FIELD(quiet), NULL, NULL, "print neither a progress line nor the final summary"},
    {"verbose", ATL_OPTION_FLAG, FIELD(verbose), NULL, NULL, "log host, cores, threads and roles of every rank"},
    {0},
};

static const atl_usage_t usage = {
    .command = "generate",
    .synopsis = "--model DIR --prompt TEXT [options]",
    .summary = "Draws candidates for each prompt, scores them with CLIP and keeps the best ones.",
    .examples = "  atelier generate --model weights/emoji --prompt \"red heart\" --samples 32 --temperature 0.7\n"
                "  mpirun -n 4 atelier generate --model weights/emoji --prompts prompts.txt --out out/run1\n",
    .options = options,
};

typedef struct {
  settings_t settings;
  atl_arena_t arena;
  atl_prompts_t prompts;
  const atl_model_t *model; /* owned by the launch */
  atl_plan_request_t request;
  atl_costs_subject_t costs;
  json_t *pixels, *plan, *machine;
  char *command;
  atl_output_t *output;
  atl_progress_t progress;
  atl_utilization_t utilization;
  int64_t n_images;
} generate_t;

/* ---- check ---- */

/* Texts that go into run.json keep the limits of a prompt: UTF-8 of at most ATL_MAX_PROMPT_BYTES bytes. NULL is
 * fine. */
static atl_status_t check_text(const char *option, const char *text) {
  if (text == NULL) return ATL_OK;
  size_t n = strlen(text), n_good = atl_utf8_find_error(text, n);
  ATL_CHECK(n <= ATL_MAX_PROMPT_BYTES, USAGE, "--%s: expected at most %d bytes, found %zu", option,
            ATL_MAX_PROMPT_BYTES, n);
  ATL_CHECK(n_good == n, USAGE, "--%s: expected UTF-8, found byte 0x%02x after %zu bytes", option,
            (unsigned)(unsigned char)text[n_good], n_good);
  return ATL_OK;
}

static atl_status_t check_settings(const settings_t *s) {
  ATL_CHECK(s->model != NULL, USAGE, "expected --model DIR; the model that ships with atelier is weights/emoji");
  ATL_CHECK((s->prompt.n > 0) != (s->prompts != NULL), USAGE, "expected either --prompt TEXT or --prompts FILE");
  ATL_CHECK(s->samples >= 1 && s->samples <= ATL_MAX_SAMPLES, USAGE, "--samples %lld: expected 1 to %d",
            (long long)s->samples, ATL_MAX_SAMPLES);
  ATL_CHECK(s->top >= 1 && s->top <= ATL_MAX_SAMPLES, USAGE, "--top %lld: expected 1 to %d", (long long)s->top,
            ATL_MAX_SAMPLES);
  ATL_CHECK(s->seed >= 0, USAGE, "--seed %lld: expected 0 or more", (long long)s->seed);
  ATL_CHECK(s->png_level >= 0 && s->png_level <= 9, USAGE, "--png-level %lld: expected 0 to 9",
            (long long)s->png_level);
  ATL_CHECK(s->prime != NULL || (s->prime_tokens == 0 && s->prime_rows == 0), USAGE,
            "--prime-tokens and --prime-rows need --prime IMAGE");
  ATL_CHECK(s->prime_tokens == 0 || s->prime_rows == 0, USAGE, "expected --prime-tokens or --prime-rows, not both");
  ATL_CHECK(s->negative == NULL || s->guidance != 1, USAGE, "--negative needs guidance; add --guidance 2");
  ATL_TRY(check_text("model", s->model));
  ATL_TRY(check_text("negative", s->negative));
  ATL_TRY(check_text("prime", s->prime));
  ATL_CHECK(s->patience == 0 || (s->patience >= 2 && s->patience <= 1e9), USAGE,
            "--patience %g: expected 0, or at least 2 seconds, because ranks report every second", s->patience);
  ATL_CHECK(s->top_k >= 0 && s->top_k <= INT32_MAX, USAGE, "--top-k %lld: expected 1 or more, or 0 for all",
            (long long)s->top_k);
  return atl_layout_options_check(&s->layout, s->plan);
}

static atl_status_t compute_in(const settings_t *s, atl_job_t *job) {
  atl_compute_t compute;
  ATL_TRY(atl_compute_parse(&s->compute, &compute));
  job->dtype = compute.dtype;
  job->kv = compute.kv;
  job->backend = (int32_t)compute.backend;
  return ATL_OK;
}

static atl_status_t sample_by(const settings_t *s, atl_job_t *job) {
  job->sampling = (atl_sampling_t){.greedy = s->greedy,
                                   .temperature = s->temperature,
                                   .top_k = (int32_t)s->top_k,
                                   .top_p = s->top_p,
                                   .filter_thres = s->filter_thres,
                                   .guidance = s->guidance};
  return atl_status_prefix(atl_sampling_check(&job->sampling), "--");
}

/* Checks before anything is drawn that the trace file can be written. */
static atl_status_t check_trace(const char *path) {
  atl_file_writer_t file;
  if (path == NULL) return ATL_OK;
  ATL_CHECK(!atl_file_is_directory(path), INPUT, "--trace %s: expected a file to write, found a folder", path);
  ATL_CHECK(atl_file_create(path, &file) == ATL_OK, INPUT, "--trace %s", atl_status_message());
  atl_file_abandon(&file);
  return ATL_OK;
}

/* Checks everything that needs no file of the model. */
static atl_status_t check(const settings_t *s, atl_job_t *job) {
  ATL_TRY(check_settings(s));
  ATL_TRY(compute_in(s, job));
  ATL_TRY(sample_by(s, job));
  ATL_TRY(atl_output_check(s->out));
  return check_trace(s->trace);
}

/* ---- prepare: the job and the request for its plan ---- */

static atl_status_t read_prompts(generate_t *g) {
  const settings_t *s = &g->settings;
  atl_prompt_defaults_t defaults = {.seed = (uint64_t)s->seed, .n_samples = (int32_t)s->samples};
  if (s->prompts != NULL)
    ATL_TRY(atl_prompts_load(s->prompts, &defaults, &g->prompts));
  else
    ATL_TRY(atl_prompts_from_texts(&s->prompt, &defaults, &g->prompts));
  if (s->shard != NULL) ATL_TRY(atl_prompts_shard(&g->prompts, s->shard));
  for (int32_t i = 0; i < g->prompts.n; i++) g->n_images += g->prompts.items[i].n_samples;
  return ATL_OK;
}

static atl_status_t open_model(const settings_t *s, atl_job_t *job, atl_model_t **model) {
  ATL_TRY(atl_model_open(s->model, model));
  const atl_model_t *m = *model;
  ATL_CHECK(m->has_transformer && m->has_vae, INPUT,
            "%s: expected a transformer and a VAE, found no %s; `atelier convert` joins them", s->model,
            m->has_transformer ? "VAE" : "transformer");
  bool has_ranking = m->has_clip && m->clip_tokenizer_path != NULL;
  job->is_ranked = has_ranking && !s->no_rank;
  if (!has_ranking && !s->no_rank)
    ATL_LOG(WARN,
            "%s has no CLIP with a tokenizer, so candidates are not ranked; convert again with --clip and "
            "--clip-tokenizer to "
            "rank them",
            s->model);
  return ATL_OK;
}

static atl_status_t tokenize(generate_t *g, atl_job_t *job) {
  const settings_t *s = &g->settings;
  atl_tokenize_request_t request = {.model = g->model,
                                    .prompts = &g->prompts,
                                    .negative = s->negative,
                                    .is_guided = s->guidance != 1,
                                    .truncate = s->truncate};
  return atl_tokenize_job(&request, &g->arena, job);
}

static void make_request(generate_t *g, int n_ranks, const atl_place_t *place, const atl_job_t *job) {
  const settings_t *s = &g->settings;
  atl_planning_t planning = {.n_ranks = n_ranks,
                             .n_cores = 1,
                             .has_decoders = true,
                             .memory_per_rank = s->memory ? s->memory : place->free_bytes,
                             .hop_seconds = place->hop_seconds,
                             .hop_bytes = place->hop_bytes};
  atl_planning_set_job(&planning, job, g->model);
  atl_planning_set_layout(&planning, &s->layout);
  atl_planning_request(&planning, &g->request);
}

/* Looks up measured costs. Asks the ranks to measure them if there are none and the job is long enough to pay off. */
static atl_status_t find_costs(generate_t *g, const atl_place_t *place, atl_job_t *job) {
  bool is_known;
  g->costs = (atl_costs_subject_t){.spec = atl_measuring_spec(job, g->request.costs.microbatch),
                                   .n_ranks = place->n_ranks_on_host};
  ATL_TRY(atl_costs_lookup(g->model, &g->costs, &g->request, &is_known));
  bool is_wanted = !is_known && atl_costs_should_measure(&g->request);
  job->measured_microbatch = is_wanted ? g->costs.spec.microbatch : 0;
  return ATL_OK;
}

static atl_status_t prepare(void *context, int n_ranks, const atl_place_t *place, atl_job_t *job, atl_model_t **model) {
  generate_t *g = context;
  const settings_t *s = &g->settings;
  ATL_TRY(check(s, job));
  ATL_TRY(read_prompts(g));
  ATL_TRY(open_model(s, job, model));
  g->model = *model;
  job->model = s->model;
  job->out = s->out;
  ATL_TRY(tokenize(g, job));
  ATL_TRY(atl_priming_load(&(atl_priming_t){s->prime, s->prime_tokens, s->prime_rows}, g->model, &g->arena, job));
  job->n_keep = (int32_t)s->top;
  job->trace = s->trace;
  job->png_level = (int32_t)s->png_level;
  make_request(g, n_ranks, place, job);
  return find_costs(g, place, job);
}

static atl_status_t make_plan(void *context, const atl_calibration_t *measured, atl_plan_t *plan) {
  generate_t *g = context;
  const settings_t *s = &g->settings;
  if (measured != NULL) ATL_TRY(atl_costs_store(g->model, &g->costs, measured, &g->request));
  ATL_TRY(atl_planning_make_plan(s->plan, &g->request, plan));
  if (s->print_plan) atl_plan_print(plan, &g->request, stderr);
  return ATL_OK;
}

/* ---- while the job runs ---- */

static atl_status_t add_record(void *context, const atl_record_t *record) {
  generate_t *g = context;
  return atl_output_add_record(g->output, record);
}

static bool find_threshold(void *context, int32_t prompt, float *threshold) {
  const generate_t *g = context;
  return atl_output_has_threshold(g->output, prompt, threshold);
}

static void take_report(void *context, const atl_report_t *report) {
  generate_t *g = context;
  atl_utilization_add(&g->utilization, report);
}

/* Builds the command that the gallery completes to draw one picture again: only the options that decide its pixels. */
static atl_status_t describe_command(generate_t *g) {
  settings_t s = g->settings;
  char *text;
  s.prompt.n = 0;
  s.prompts = s.shard = s.plan = s.trace = NULL;
  s.samples = s.top = 16;
  s.seed = 0;
  s.out = "out";
  s.layout = (atl_layout_options_t){0};
  s.memory = 0;
  s.patience = 0;
  s.quiet = s.verbose = s.print_plan = false;
  ATL_TRY(atl_options_summary(&usage, &s, &g->arena, &text));
  return atl_arena_printf(&g->arena, &g->command, "atelier generate %s", text);
}

static atl_status_t begin(void *context, const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                          atl_schedule_events_t *events) {
  generate_t *g = context;
  ATL_TRY(atl_utilization_init(&g->utilization, plan->n_ranks, &g->arena));
  ATL_TRY(atl_plan_to_json(plan, &g->plan));
  ATL_TRY(atl_provenance_of_pixels(job, model, g->settings.negative, &g->pixels));
  ATL_TRY(atl_provenance_of_machine(plan->n_ranks, &g->machine));
  ATL_TRY(describe_command(g));
  atl_output_request_t request = {
      .folder = job->out,
      .prompts = g->prompts.items,
      .n_prompts = g->prompts.n,
      .n_keep = job->n_keep,
      .is_ranked = job->is_ranked,
      .model = model->name,
      .command = g->command,
      .pixels = g->pixels,
      .plan = g->plan,
      .machine = g->machine,
  };
  ATL_TRY(atl_output_new(&request, &g->output));
  atl_progress_init(&g->progress, g->n_images, g->settings.quiet);
  *events = (atl_schedule_events_t){.context = g,
                                    .n_results = g->n_images,
                                    .take_record = add_record,
                                    .find_threshold = find_threshold,
                                    .take_report = take_report};
  return ATL_OK;
}

static void tick(void *context) {
  generate_t *g = context;
  atl_progress_share_t shares[ATL_N_UTILIZATIONS];
  atl_utilization_get(&g->utilization, shares);
  atl_progress_update(&g->progress, atl_output_n_done(g->output), shares, ATL_N_UTILIZATIONS);
  atl_output_beat(g->output);
}

/* ---- finish ---- */

static atl_status_t finish(void *context, const atl_run_summary_t *summary) {
  generate_t *g = context;
  atl_progress_finish(&g->progress);
  ATL_TRY(atl_output_finish(g->output, summary));
  ATL_CHECK(
      !summary->is_stopped, STOPPED,
      "stopped by a signal (%s) after %lld of %lld images; complete prompts are in %s; draw the others in another run "
      "with the same seed and ids",
      atl_stop_signal(), (long long)atl_output_n_done(g->output), (long long)g->n_images, g->settings.out);
  if (g->settings.quiet) return ATL_OK;
  char duration[32];
  printf("%lld images of %d prompts in %s (%.3g images/s); gallery: %s/index.html\n", (long long)summary->n_images,
         g->prompts.n, atl_timer_format(summary->seconds, duration), (double)summary->n_images / summary->seconds,
         g->settings.out);
  return ATL_OK;
}

static void abandon(void *context, const char *state, const char *reason) {
  const generate_t *g = context;
  if (g->output != NULL) atl_output_abandon(g->output, state, reason);
}

static void clear(generate_t *g) {
  atl_output_destroy(&g->output);
  atl_prompts_clear(&g->prompts);
  json_decref(g->pixels);
  json_decref(g->plan);
  json_decref(g->machine);
  atl_arena_clear(&g->arena);
}

atl_status_t atl_command_generate(int argc, char **argv, const atl_worker_ops_t *worker_ops) {
  generate_t *g;
  bool wants_help;
  ATL_TRY(ATL_NEW(1, &g));
  atl_status_t status = atl_options_parse(&usage, argc, argv, &g->settings, NULL, &wants_help);
  if (status == ATL_OK && wants_help) {
    atl_options_help(&usage, stdout);
  } else if (status == ATL_OK) {
    if (g->settings.verbose) atl_log_set_level(ATL_LOG_DEBUG); /* on every rank, before it logs anything */
    atl_task_t task = {.context = g,
                       .patience = g->settings.patience,
                       .wants_hops = true,
                       .prepare = prepare,
                       .make_plan = make_plan,
                       .begin = begin,
                       .tick = tick,
                       .abandon = abandon,
                       .finish = finish};
    status = atl_launch_run(argc, argv, worker_ops, &task);
  }
  clear(g);
  ATL_DESTROY(&g);
  return status;
}
