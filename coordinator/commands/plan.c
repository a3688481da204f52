/* atelier plan: assigns roles to ranks and predicts time and memory, without MPI unless --measure is given. The options
 * that describe the job are those of `generate`, and the printed plan is the plan that `generate` would run. --shape
 * describes a model by its sizes alone. */
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "coordinator/job/compute.h"
#include "coordinator/job/prompts.h"
#include "coordinator/plan/costs.h"
#include "coordinator/plan/measuring.h"
#include "coordinator/plan/planning.h"
#include "model/checkpoint/model.h"
#include "model/checkpoint/shape.h"
#include "partition/place.h"
#include "partition/simulate.h"

typedef struct {
  const char *model, *shape, *prompts, *plan;
  atl_compute_words_t compute;
  atl_text_list_t prompt;
  int64_t prompt_count, samples, prime_tokens;
  double guidance, decode_seconds, flops, bandwidth, jitter;
  int64_t ranks, ranks_per_node, cores, memory, cache;
  atl_layout_options_t layout;
  bool no_rank, json, simulate, measure;
} settings_t;

#define FIELD(name) offsetof(settings_t, name)
static const atl_option_t options[] = {
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "The model"},
    {"model", ATL_OPTION_TEXT, FIELD(model), "DIR", NULL, "plan for the model directory DIR"},
    {"shape", ATL_OPTION_TEXT, FIELD(shape), "SHAPE", NULL,
     "plan for a model of this shape instead: a name (dalle-512, dalle-12b, mindalle-1.3b, ...), KEY=VALUE,... (width "
     "layers heads head_size text text_ids side codes ... as in `convert --random`), or a name followed by them"},
    ATL_COMPUTE_OPTION_DTYPE(FIELD(compute)),
    ATL_COMPUTE_OPTION_KV(FIELD(compute)),
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "The job"},
    {"prompt", ATL_OPTION_TEXTS, FIELD(prompt), "TEXT", NULL, "plan for the prompt TEXT; repeatable"},
    {"prompts", ATL_OPTION_TEXT, FIELD(prompts), "FILE", NULL, "read prompts from FILE, as `generate` does"},
    {"prompt-count", ATL_OPTION_INT, FIELD(prompt_count), "N", "1",
     "plan for N prompts, without --prompt and --prompts"},
    {"samples", ATL_OPTION_INT, FIELD(samples), "N", "16", "draw N candidates per prompt"},
    {"guidance", ATL_OPTION_REAL, FIELD(guidance), "G", "1", "apply classifier-free guidance of scale G (1: none)"},
    {"prime-tokens", ATL_OPTION_INT, FIELD(prime_tokens), "N", "0", "begin every candidate with N given image tokens"},
    {"no-rank", ATL_OPTION_FLAG, FIELD(no_rank), NULL, NULL, "do not score with CLIP"},
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "The machine"},
    {"ranks", ATL_OPTION_INT, FIELD(ranks), "N", "1", "plan for N ranks"},
    {"ranks-per-node", ATL_OPTION_INT, FIELD(ranks_per_node), "N", "0",
     "assume that N ranks share a node's memory (0: as many as this machine has cores for)"},
    {"cores", ATL_OPTION_INT, FIELD(cores), "C", "1", "assume C cores per rank"},
    {"memory", ATL_OPTION_BYTES, FIELD(memory), "BYTES", "0", "use at most BYTES of memory per rank (0: no limit)"},
    {"cache", ATL_OPTION_BYTES, FIELD(cache), "BYTES", "0", "assume BYTES of last-level cache per rank (0: none)"},
    {"flops", ATL_OPTION_REAL, FIELD(flops), "GFLOPS", "0", "assume this speed of a core in linear layers (0: 50)"},
    {"bandwidth", ATL_OPTION_REAL, FIELD(bandwidth), "GB/S", "0", "assume this memory bandwidth of a core (0: 10)"},
    {"decode-seconds", ATL_OPTION_REAL, FIELD(decode_seconds), "S", "0",
     "assume S seconds to decode and score an image (0: estimate)"},
    {"measure", ATL_OPTION_FLAG, FIELD(measure), NULL, NULL,
     "first measure the model's costs on this machine, with --cores threads per rank; under mpirun on all ranks at "
     "once, "
     "because they share the memory"},
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "The layout"},
    ATL_LAYOUT_OPTIONS(FIELD(layout)),
    {"plan", ATL_OPTION_TEXT, FIELD(plan), "FILE", NULL,
     "predict time and memory of the plan in FILE instead of searching for one"},
    {"", ATL_OPTION_FLAG, 0, NULL, NULL, "Output"},
    {"json", ATL_OPTION_FLAG, FIELD(json), NULL, NULL, "print JSON, as `generate --plan FILE` reads it"},
    {"simulate", ATL_OPTION_FLAG, FIELD(simulate), NULL, NULL, "also simulate the schedule step by step"},
    {"jitter", ATL_OPTION_REAL, FIELD(jitter), "X", "0", "with --simulate: let step times vary by fraction X"},
    {0},
};

static const atl_usage_t usage = {
    .command = "plan",
    .synopsis = "(--model DIR | --shape SIZES) --ranks N [options]",
    .summary = "Assigns roles to ranks and predicts time and memory, without MPI.",
    .examples =
        "  atelier plan --model weights/emoji --ranks 16 --cores 4 --samples 512\n"
        "  atelier plan --shape layers=24,width=2048,heads=32,text=256,side=32,text-ids=16384,codes=8192 \\\n"
        "      --dtype bf16 --ranks 256 --cores 32 --memory 64G --samples 512\n"
        "  atelier plan --shape dalle-12b --dtype bf16 --ranks 4096 --cores 16 --memory 16G --prompt-count 256 \\\n"
        "      --samples 512 --simulate\n"
        "  mpirun -n 2 --bind-to core atelier plan --model weights/emoji --ranks 2 --measure --simulate\n",
    .options = options,
};

/* ---- the job ---- */

static atl_status_t count_images(const settings_t *s, atl_planning_t *planning) {
  ATL_CHECK(s->samples >= 1 && s->samples <= ATL_MAX_SAMPLES, USAGE, "--samples %lld: expected 1 to %d",
            (long long)s->samples, ATL_MAX_SAMPLES);
  ATL_CHECK(s->prompt_count >= 1 && s->prompt_count <= ATL_MAX_PROMPTS, USAGE, "--prompt-count %lld: expected 1 to %d",
            (long long)s->prompt_count, ATL_MAX_PROMPTS);
  planning->n_prompts = s->prompt.n > 0 ? (int32_t)s->prompt.n : (int32_t)s->prompt_count;
  planning->n_images = planning->n_prompts * s->samples;
  if (s->prompts == NULL) return ATL_OK;
  atl_prompts_t prompts;
  ATL_TRY(atl_prompts_load(s->prompts, &(atl_prompt_defaults_t){.n_samples = (int32_t)s->samples}, &prompts));
  planning->n_prompts = prompts.n;
  planning->n_images = 0;
  for (int32_t i = 0; i < prompts.n; i++) planning->n_images += prompts.items[i].n_samples;
  atl_prompts_clear(&prompts);
  return ATL_OK;
}

static atl_status_t check_settings(const settings_t *s) {
  ATL_CHECK((s->model != NULL) != (s->shape != NULL), USAGE, "expected either --model DIR or --shape SIZES");
  ATL_CHECK(s->ranks >= 1 && s->ranks <= ATL_MAX_RANKS, USAGE, "--ranks %lld: expected 1 to %d", (long long)s->ranks,
            ATL_MAX_RANKS);
  ATL_CHECK(s->ranks_per_node >= 0 && s->ranks_per_node <= ATL_MAX_RANKS, USAGE,
            "--ranks-per-node %lld: expected 0 to %d", (long long)s->ranks_per_node, ATL_MAX_RANKS);
  ATL_CHECK(s->cores >= 1 && s->cores <= 4096, USAGE, "--cores %lld: expected 1 to 4096", (long long)s->cores);
  ATL_CHECK(s->memory >= 0 && s->cache >= 0, USAGE, "--memory and --cache: expected 0 or more");
  ATL_CHECK(s->flops >= 0 && s->bandwidth >= 0 && s->decode_seconds >= 0, USAGE,
            "--flops, --bandwidth and --decode-seconds: expected 0 or more");
  ATL_CHECK(!s->measure || (s->model != NULL && s->flops == 0 && s->bandwidth == 0 && s->cache == 0), USAGE,
            "--measure needs --model and measures this machine; remove --shape, --flops, --bandwidth and --cache");
  ATL_CHECK(s->jitter >= 0 && s->jitter < 1, USAGE, "--jitter %g: expected at least 0 and less than 1", s->jitter);
  return atl_layout_options_check(&s->layout, s->plan);
}

/* The model to plan for. Without a dVAE the plan has no decoders, unless --decode-seconds gives their time. Borrows
 * all. */
typedef struct {
  const atl_transformer_config_t *config;
  const atl_vae_config_t *vae;   /* NULL: unknown */
  const atl_clip_config_t *clip; /* NULL: none */
  const atl_model_t *model;      /* NULL with --shape */
  const atl_comm_t *world;       /* NULL without --measure */
} subject_t;

/* The number of ranks that share a node's memory and compute at the same time. */
static int count_node_ranks(const settings_t *s) {
  int64_t n = omp_get_num_procs() / s->cores;
  if (n > s->ranks) n = s->ranks;
  if (s->ranks_per_node > 0) n = s->ranks_per_node;
  return n > 1 ? (int)n : 1;
}

static atl_status_t check_ranks_per_node(const settings_t *s, int n_here) {
  ATL_CHECK(s->ranks_per_node == 0 || s->ranks_per_node == n_here, USAGE,
            "--ranks-per-node %lld --measure: expected that many ranks on this node, found %d; try mpirun -n %lld "
            "atelier plan ...",
            (long long)s->ranks_per_node, n_here, (long long)s->ranks_per_node);
  int n_wanted = count_node_ranks(s);
  if (n_here < n_wanted)
    ATL_LOG_ROOT(WARN,
                 "%d ranks will share this node's memory, but the number that measure is %d, so predicted times will "
                 "be too short; try "
                 "mpirun -n %d atelier plan ...",
                 n_wanted, n_here, n_wanted);
  return ATL_OK;
}

/* With --measure collective: all ranks continue or all fail. Without (world NULL) it returns the status. */
static atl_status_t agree(const atl_comm_t *world, atl_status_t status) {
  return world == NULL ? status : atl_comm_agree(world, status);
}

/* Collective over the launch. Rank 0 stores the costs and puts them into its request. */
static atl_status_t measure(const settings_t *s, const subject_t *subject, atl_costs_subject_t *costs,
                            atl_plan_request_t *request) {
  atl_place_t place;
  atl_calibration_t calibration;
  ATL_TRY(atl_place_find(subject->world, &place));
  costs->n_ranks = place.n_ranks_on_host;
  ATL_TRY(atl_comm_agree(subject->world, check_ranks_per_node(s, costs->n_ranks)));
  ATL_TRY(atl_measuring_run(subject->world, &place, subject->model, &costs->spec, &calibration));
  if (atl_comm_rank(subject->world) != 0) return ATL_OK;
  return atl_costs_store(subject->model, costs, &calibration, request);
}

/* Puts the measured costs that `generate` would use on this machine into the request. Keeps the estimates for a --shape
 * or when --flops, --bandwidth or --cache describe another machine. */
static atl_status_t find_costs(const settings_t *s, const subject_t *subject, atl_costs_subject_t *costs,
                               atl_plan_request_t *request) {
  bool is_known, is_here = s->flops == 0 && s->bandwidth == 0 && s->cache == 0;
  if (subject->model == NULL || !is_here) return ATL_OK;
  omp_set_num_threads((int)s->cores);
  if (subject->world != NULL) return measure(s, subject, costs, request);
  return atl_costs_lookup(subject->model, costs, request, &is_known);
}

/* Fills the request, with estimated costs, and costs with the subject that measured costs are looked up by. */
static atl_status_t make_request(const settings_t *s, const subject_t *subject, atl_plan_request_t *request,
                                 atl_costs_subject_t *costs) {
  const atl_model_t *model = subject->model;
  atl_compute_words_t words = {s->compute.dtype, s->compute.kv, "auto"};
  atl_compute_t compute;
  ATL_TRY(atl_compute_parse(&words, &compute));
  int32_t n_most = atl_config_image_length(subject->config) - 1;
  ATL_CHECK(s->prime_tokens >= 0 && s->prime_tokens <= n_most, USAGE, "--prime-tokens %lld: expected 0 to %d",
            (long long)s->prime_tokens, (int)n_most);
  atl_planning_t planning = {.transformer = subject->config,
                             .vae = subject->vae,
                             .clip = s->no_rank ? NULL : subject->clip,
                             .n_ranks = (int32_t)s->ranks,
                             .n_cores = (int32_t)s->cores,
                             .n_prime = (int32_t)s->prime_tokens,
                             .is_guided = s->guidance != 1,
                             .has_decoders = subject->vae != NULL || s->decode_seconds > 0,
                             .memory_per_rank = s->memory,
                             .cache_per_rank = s->cache,
                             .core_flops = s->flops * 1e9,
                             .core_bytes = s->bandwidth * 1e9,
                             .dtype = compute.dtype,
                             .kv = compute.kv,
                             .storage = model != NULL ? atl_planning_storage(model) : compute.dtype};
  ATL_TRY(count_images(s, &planning));
  atl_planning_set_layout(&planning, &s->layout);
  atl_planning_request(&planning, request);
  *costs = (atl_costs_subject_t){.spec = {.microbatch = request->costs.microbatch,
                                          .n_streams = planning.is_guided ? 2 : 1,
                                          .dtype = compute.dtype,
                                          .kv = compute.kv,
                                          .backend = compute.backend,
                                          .has_decoder = planning.has_decoders,
                                          .is_ranked = planning.clip != NULL},
                                 .n_ranks = count_node_ranks(s)};
  return ATL_OK;
}

/* ---- output ---- */

static json_t *simulation_to_json(const atl_simulation_t *s) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "seconds", s->seconds,
                   "efficiency", s->efficiency, "rank_efficiency", s->rank_efficiency, "images_per_second",
                   s->images_per_second, "first_image", s->first_image, "work", s->work, "prefill", s->prefill,
                   "decode", s->decode, "imbalance", s->imbalance, "fill", s->fill, "tail", s->tail, "slots", s->slots,
                   "decoder_load", s->decoder_load);
}

static atl_status_t print_json(const atl_plan_t *plan, const atl_simulation_t *simulation) {
  json_t *object;
  ATL_TRY(atl_plan_to_json(plan, &object));
  if (simulation != NULL) json_object_set_new(object, "simulated", simulation_to_json(simulation));
  int failed = json_dumpf(object, stdout, JSON_INDENT(2)) != 0 || putchar('\n') == EOF;
  json_decref(object);
  ATL_CHECK(!failed, IO, "standard output cannot be written");
  return ATL_OK;
}

static void print_model(const settings_t *s, const atl_transformer_config_t *c, const atl_plan_request_t *q) {
  printf("%s: %d layers of width %d, %d heads of %d, text %d, image %d x %d tokens of a codebook of %d, %s\n",
         s->model != NULL ? s->model : "--shape", (int)c->n_layers, (int)c->width, (int)c->n_heads, (int)c->head_size,
         (int)c->text_length, (int)c->image_side, (int)c->image_side, (int)c->n_image_tokens, s->compute.dtype);
  printf("%lld images of %d prompt%s%s\n", (long long)q->n_images, (int)q->n_prompts, q->n_prompts == 1 ? "" : "s",
         q->is_guided ? ", guided" : "");
}

static atl_status_t plan_for(const settings_t *s, const subject_t *subject) {
  atl_plan_request_t request;
  atl_plan_t plan;
  atl_simulation_t simulation;
  atl_costs_subject_t costs;
  ATL_TRY(agree(subject->world, make_request(s, subject, &request, &costs)));
  ATL_TRY(find_costs(s, subject, &costs, &request));
  if (s->decode_seconds > 0) request.costs.decode = s->decode_seconds, request.costs.score = 0;
  if (atl_comm_world_rank() > 0) return ATL_OK; /* it only helped to measure */
  ATL_TRY(atl_planning_make_plan(s->plan, &request, &plan));
  if (s->simulate) ATL_TRY(atl_simulate_run(&plan, &request, s->jitter, &simulation));
  if (s->json) return print_json(&plan, s->simulate ? &simulation : NULL);
  print_model(s, subject->config, &request);
  atl_plan_print(&plan, &request, stdout);
  if (s->simulate) atl_simulate_print(&simulation, stdout);
  return ATL_OK;
}

static atl_status_t open_model(const char *path, atl_model_t **model) {
  ATL_TRY(atl_model_open(path, model));
  ATL_CHECK((*model)->has_transformer, INPUT, "%s: expected a transformer, found none", path);
  return ATL_OK;
}

static atl_status_t plan_model(const settings_t *s, const atl_comm_t *world) {
  atl_model_t *model = NULL;
  atl_status_t status = agree(world, open_model(s->model, &model));
  if (status == ATL_OK) {
    subject_t subject = {.config = &model->transformer_config,
                         .vae = model->has_vae ? &model->vae_config : NULL,
                         .clip = model->has_clip ? &model->clip_config : NULL,
                         .model = model,
                         .world = world};
    status = plan_for(s, &subject);
  }
  atl_model_destroy(&model);
  return status;
}

static atl_status_t plan_shape(const settings_t *s) {
  atl_shape_t shape;
  ATL_TRY(atl_shape_parse(s->shape, "dalle-512", &shape));
  const subject_t subject = {
      .config = &shape.transformer, .vae = &shape.vae, .clip = shape.has_clip ? &shape.clip : NULL};
  return plan_for(s, &subject);
}

static atl_status_t measure_and_plan(const settings_t *s) {
  atl_comm_t *world;
  ATL_TRY(atl_comm_start(NULL, NULL, &world));
  atl_log_set_speaker(atl_comm_rank(world), NULL);
  atl_status_t status = plan_model(s, world);
  atl_comm_stop(&world);
  return status;
}

static atl_status_t run(const void *context, const atl_text_list_t *operands) {
  (void)operands;
  const settings_t *s = context;
  ATL_TRY(check_settings(s));
  if (s->measure) return measure_and_plan(s);
  return s->model != NULL ? plan_model(s, NULL) : plan_shape(s);
}

atl_status_t atl_command_plan(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
