/* atelier probe: computes logits, pixels and features from given tensors, for comparison with a reference. Text runs
 * through the stages of a plan as in `generate`; pictures are computed on rank 0. The output has the same bytes on any
 * number of ranks. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "common/file.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "coordinator/job/compute.h"
#include "coordinator/job/launch.h"
#include "coordinator/plan/planning.h"
#include "model/clip/clip.h"
#include "model/vae/dvae.h"

typedef struct {
  const char *model, *in, *out;
  atl_compute_words_t compute;
  bool greedy;
  double guidance;
  atl_layout_options_t layout;
} settings_t;

#define FIELD(name) offsetof(settings_t, name)
static const atl_option_t options[] = {
    {"model", ATL_OPTION_TEXT, FIELD(model), "DIR", NULL, "use the model directory DIR"},
    {"in", ATL_OPTION_TEXT, FIELD(in), "FILE", NULL,
     "read tensors from a safetensors FILE: any of text (with image, or prime if --greedy), codes, rgb, clip_rgb, "
     "clip_text"},
    {"out", ATL_OPTION_TEXT, FIELD(out), "FILE", NULL,
     "write a safetensors FILE: logits or greedy, pixels, rgb_codes, preprocessed, image_features, text_features, "
     "scores"},
    {"greedy", ATL_OPTION_FLAG, FIELD(greedy), NULL, NULL,
     "write the image tokens that argmax draws instead of the logits"},
    {"guidance", ATL_OPTION_REAL, FIELD(guidance), "G", "1",
     "with --greedy: apply classifier-free guidance of scale G (1: none)"},
    ATL_COMPUTE_OPTION_DTYPE(FIELD(compute)),
    ATL_COMPUTE_OPTION_KV(FIELD(compute)),
    ATL_COMPUTE_OPTION_KERNELS(FIELD(compute)),
    {"stages", ATL_OPTION_INT, FIELD(layout.stages), "S", "0", "use S stages per pipeline (0: one per rank)"},
    {"pipelines", ATL_OPTION_INT, FIELD(layout.pipelines), "P", "1", "use P pipelines"},
    {"slots", ATL_OPTION_INT, FIELD(layout.slots), "M", "0",
     "keep M microbatches in flight per pipeline (0: automatic)"},
    {"microbatch", ATL_OPTION_INT, FIELD(layout.microbatch), "B", "0", "put B texts into a microbatch (0: automatic)"},
    {0},
};

static const atl_usage_t usage = {
    .command = "probe",
    .synopsis = "--model DIR --in FILE --out FILE [--greedy]",
    .summary = "Computes logits, pixels and features from the tensors of a file, for comparison with a reference.",
    .options = options,
};

enum { MAX_RESULTS = 16 };

typedef struct {
  settings_t settings;
  atl_compute_t compute;
  atl_arena_t arena;
  atl_safetensors_t *in;
  const atl_model_t *model; /* owned by the launch or by open_and_save */
  atl_tensor_t results[MAX_RESULTS];
  size_t n_results;
  atl_plan_request_t request;
  /* text */
  int32_t n_texts, n_codes; /* B; image tokens given with each text */
  int32_t n_rows;           /* rows of logits per text */
  float *logits;            /* (B, n_rows, V) */
  int32_t *greedy;          /* (B, I) */
} probe_t;

/* Finds a tensor of the input and checks its dtype, its number of dimensions, and each size where shape is not -1.
 * *found is NULL if there is none. INPUT: it does not fit. */
static atl_status_t find_input(const probe_t *p, const char *name, atl_dtype_t dtype, int n_dims, const int64_t *shape,
                               const atl_tensor_t **found) {
  char text[128];
  const atl_tensor_t *tensor = atl_safetensors_find(p->in, name);
  *found = tensor;
  if (tensor == NULL) return ATL_OK;
  bool fits = tensor->dtype == dtype && tensor->n_dims == n_dims;
  for (int i = 0; fits && i < n_dims; i++)
    fits = shape[i] < 0 ? tensor->shape[i] < INT32_MAX : tensor->shape[i] == shape[i];
  ATL_CHECK(fits, INPUT, "%s: %s: expected %s with %d dimensions that fit the model, found %s", p->settings.in, name,
            atl_dtype_name(dtype), n_dims, atl_tensor_describe(tensor, text, sizeof text));
  return ATL_OK;
}

/* Adds a result and takes its memory from the arena. */
static atl_status_t new_result(probe_t *p, const char *name, atl_dtype_t dtype, int n_dims, const int64_t *shape,
                               void **data) {
  atl_tensor_t *result = &p->results[p->n_results++];
  size_t n_bytes;
  *result = (atl_tensor_t){.name = name, .dtype = dtype, .n_dims = n_dims};
  memcpy(result->shape, shape, (size_t)n_dims * sizeof *shape);
  ATL_TRY(atl_tensor_n_bytes(result, &n_bytes));
  ATL_TRY(atl_arena_take(&p->arena, n_bytes, 1, data));
  result->data = *data;
  return ATL_OK;
}

/* Copies an I32 tensor into aligned memory of the arena. INPUT: a value outside [0, limit). */
static atl_status_t copy_codes(probe_t *p, const atl_tensor_t *tensor, int32_t limit, int32_t **codes) {
  size_t n;
  ATL_TRY(atl_tensor_n_items(tensor, &n));
  ATL_TRY(ATL_TAKE(&p->arena, n, codes));
  memcpy(*codes, tensor->data, n * sizeof **codes);
  for (size_t i = 0; i < n; i++)
    ATL_CHECK((*codes)[i] >= 0 && (*codes)[i] < limit, INPUT, "%s: %s[%zu]: expected 0 to %d, found %d", p->settings.in,
              tensor->name, i, limit - 1, (*codes)[i]);
  return ATL_OK;
}

/* ---- text, through the ring ---- */

static atl_status_t read_texts(probe_t *p, atl_job_t *job) {
  const atl_transformer_config_t *c = &p->model->transformer_config;
  const atl_tensor_t *text, *image;
  ATL_CHECK(p->model->has_transformer, INPUT, "%s: expected a transformer for the text, found none", p->settings.model);
  ATL_TRY(find_input(p, "text", ATL_I32, 2, (int64_t[]){-1, c->text_length}, &text));
  ATL_TRY(find_input(p, "image", ATL_I32, 2, (int64_t[]){text->shape[0], -1}, &image));
  p->n_texts = (int32_t)text->shape[0];
  ATL_CHECK(p->n_texts > 0, INPUT, "%s: text: expected at least one row, found none", p->settings.in);
  p->n_codes = image == NULL || p->settings.greedy ? 0 : (int32_t)image->shape[1];
  int32_t *ids, *codes = NULL;
  atl_prompt_t *prompts;
  atl_forced_image_t *forced;
  ATL_TRY(copy_codes(p, text, c->n_text_tokens, &ids));
  if (p->n_codes > 0) ATL_TRY(copy_codes(p, image, c->n_image_tokens, &codes));
  ATL_TRY(ATL_TAKE(&p->arena, p->n_texts, &prompts));
  ATL_TRY(ATL_TAKE(&p->arena, p->n_texts, &forced));
  for (int32_t i = 0; i < p->n_texts; i++) {
    char *id;
    ATL_TRY(atl_arena_printf(&p->arena, &id, "%d", i + 1));
    prompts[i] = (atl_prompt_t){
        .id = id, .text = "", .n_samples = 1, .ids = ids + (size_t)i * (size_t)c->text_length, .n_ids = c->text_length};
    forced[i] = (atl_forced_image_t){codes == NULL ? NULL : codes + (size_t)i * (size_t)p->n_codes, p->n_codes};
  }
  job->prompts = prompts;
  job->n_prompts = p->n_texts;
  job->wants_logits = !p->settings.greedy;
  job->forced = forced;
  job->n_forced = job->wants_logits ? p->n_texts : 0;
  return ATL_OK;
}

/* Reads the image tokens that every greedy picture begins with. */
static atl_status_t read_prime(probe_t *p, atl_job_t *job) {
  const atl_transformer_config_t *c = &p->model->transformer_config;
  const atl_tensor_t *prime;
  int32_t *codes, n_most = atl_config_image_length(c) - 1;
  if (!p->settings.greedy) return ATL_OK;
  ATL_TRY(find_input(p, "prime", ATL_I32, 1, (int64_t[]){-1}, &prime));
  if (prime == NULL) return ATL_OK;
  ATL_CHECK(prime->shape[0] >= 1 && prime->shape[0] <= n_most, INPUT,
            "%s: prime: expected 1 to %d image tokens, found %lld", p->settings.in, n_most, (long long)prime->shape[0]);
  ATL_TRY(copy_codes(p, prime, c->n_image_tokens, &codes));
  job->prime = codes;
  job->n_prime = (int32_t)prime->shape[0];
  return ATL_OK;
}

/* For logits every text needs a cache of its own, whose sequence number is the text's index: one pipeline with one slot
 * holds all texts. */
static void make_request(probe_t *p, int n_ranks, const atl_job_t *job) {
  const settings_t *s = &p->settings;
  int32_t n_layers = p->model->transformer_config.n_layers, n_stages = n_ranks / (int32_t)s->layout.pipelines;
  atl_layout_options_t layout = s->layout;
  if (layout.stages == 0) layout.stages = n_stages < n_layers ? n_stages : n_layers;
  if (job->wants_logits) {
    layout.pipelines = layout.slots = 1;
    layout.microbatch = p->n_texts;
  }
  atl_planning_t planning = {.n_ranks = n_ranks, .n_cores = 1};
  atl_planning_set_job(&planning, job, p->model);
  atl_planning_set_layout(&planning, &layout);
  atl_planning_request(&planning, &p->request);
}

static atl_status_t make_plan(void *context, const atl_calibration_t *measured, atl_plan_t *plan) {
  (void)measured; /* NULL: a probe does not measure costs */
  const probe_t *p = context;
  return atl_planning_make_plan(NULL, &p->request, plan);
}

static atl_status_t prepare(void *context, int n_ranks, const atl_place_t *place, atl_job_t *job, atl_model_t **model) {
  (void)place;
  probe_t *p = context;
  const settings_t *s = &p->settings;
  ATL_TRY(atl_model_open(s->model, model));
  p->model = *model;
  ATL_TRY(read_texts(p, job));
  ATL_TRY(read_prime(p, job));
  job->model = s->model;
  job->out = "";
  job->dtype = p->compute.dtype;
  job->kv = p->compute.kv;
  job->backend = (int32_t)p->compute.backend;
  job->n_keep = 1;
  job->sampling =
      (atl_sampling_t){.greedy = true, .temperature = 1, .top_p = 1, .filter_thres = -1, .guidance = s->guidance};
  if (s->greedy && s->guidance != 1) {
    int32_t *zeros;
    job->n_null_ids = p->model->transformer_config.text_length;
    ATL_TRY(ATL_TAKE(&p->arena, job->n_null_ids, &zeros));
    job->null_ids = zeros;
  }
  make_request(p, n_ranks, job);
  return ATL_OK;
}

static atl_status_t take_logits(void *context, int32_t sequence, int32_t position, const float *logits, size_t n) {
  probe_t *p = context;
  size_t width = (size_t)atl_config_vocabulary(&p->model->transformer_config);
  ATL_CHECK(n == width && sequence >= 0 && sequence < p->n_texts && position >= 0 && position < p->n_rows, INPUT,
            "unexpected message: %zu logits for text %d at position %d", n, sequence, position);
  memcpy(p->logits + ((size_t)sequence * (size_t)p->n_rows + (size_t)position) * width, logits, n * sizeof *logits);
  return ATL_OK;
}

static atl_status_t take_grid(void *context, const atl_grid_t *grid) {
  probe_t *p = context;
  for (int32_t j = 0; j < grid->n_codes; j++)
    p->greedy[(size_t)grid->candidate.prompt * (size_t)grid->n_codes + (size_t)j] = grid->codes[j];
  return ATL_OK;
}

static atl_status_t begin(void *context, const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                          atl_schedule_events_t *events) {
  probe_t *p = context;
  (void)plan;
  const atl_transformer_config_t *c = &model->transformer_config;
  int32_t n_codes = atl_config_image_length(c);
  events->context = p;
  if (!job->wants_logits) {
    events->take_grid = take_grid;
    events->n_results = p->n_texts;
    return new_result(p, "greedy", ATL_I32, 2, (int64_t[]){p->n_texts, n_codes}, (void **)&p->greedy);
  }
  p->n_rows = c->text_length + 1 + (p->n_codes < n_codes ? p->n_codes : n_codes - 1);
  events->take_logits = take_logits;
  events->n_results = (int64_t)p->n_texts * p->n_rows;
  return new_result(p, "logits", ATL_F32, 3, (int64_t[]){p->n_texts, p->n_rows, atl_config_vocabulary(c)},
                    (void **)&p->logits);
}

/* ---- pictures, on rank 0 ---- */

static atl_status_t probe_vae(probe_t *p) {
  const atl_vae_config_t *c = &p->model->vae_config;
  const atl_tensor_t *codes, *rgb;
  int64_t side = c->image_size >> c->n_layers, n_codes = side * side;
  ATL_TRY(find_input(p, "codes", ATL_I32, 2, (int64_t[]){-1, n_codes}, &codes));
  ATL_TRY(find_input(p, "rgb", ATL_F32, 4, (int64_t[]){-1, c->n_channels, c->image_size, c->image_size}, &rgb));
  if (codes == NULL && rgb == NULL) return ATL_OK;
  atl_dvae_t *vae;
  ATL_TRY(atl_dvae_new(p->model, ATL_DVAE_DECODER | ATL_DVAE_ENCODER, &vae));
  atl_status_t status = ATL_OK;
  if (codes != NULL) {
    float *pixels;
    int32_t *checked;
    int64_t shape[] = {codes->shape[0], c->n_channels, c->image_size, c->image_size};
    status = copy_codes(p, codes, c->n_tokens, &checked);
    if (status == ATL_OK) status = new_result(p, "pixels", ATL_F32, 4, shape, (void **)&pixels);
    if (status == ATL_OK) status = atl_dvae_decode(vae, pixels, checked, (int32_t)codes->shape[0]);
  }
  if (status == ATL_OK && rgb != NULL) {
    int32_t *out;
    float *aligned;
    size_t n = (size_t)(rgb->shape[0] * rgb->shape[1] * rgb->shape[2] * rgb->shape[3]);
    status = new_result(p, "rgb_codes", ATL_I32, 2, (int64_t[]){rgb->shape[0], n_codes}, (void **)&out);
    if (status == ATL_OK) status = ATL_TAKE(&p->arena, n, &aligned);
    if (status == ATL_OK) {
      memcpy(aligned, rgb->data, n * sizeof *aligned);
      atl_dvae_encode(vae, out, aligned, (int32_t)rgb->shape[0]);
    }
  }
  atl_dvae_destroy(&vae);
  return status;
}

static atl_status_t probe_clip_images(probe_t *p, atl_clip_t *clip, const atl_tensor_t *rgb, float **features) {
  const atl_clip_config_t *c = &p->model->clip_config;
  int64_t n = rgb->shape[0], height = rgb->shape[1], width = rgb->shape[2], size = c->image_size;
  float *images;
  ATL_TRY(new_result(p, "preprocessed", ATL_F32, 4, (int64_t[]){n, 3, size, size}, (void **)&images));
  ATL_TRY(new_result(p, "image_features", ATL_F32, 2, (int64_t[]){n, c->embedding_width}, (void **)features));
  for (int64_t i = 0; i < n; i++)
    ATL_TRY(atl_clip_preprocess(clip, images + i * 3 * size * size, (const uint8_t *)rgb->data + i * height * width * 3,
                                (int32_t)height, (int32_t)width));
  atl_clip_image_features(clip, *features, images, (int32_t)n);
  return ATL_OK;
}

static atl_status_t probe_clip_texts(probe_t *p, atl_clip_t *clip, const atl_tensor_t *text, float **features) {
  const atl_clip_config_t *c = &p->model->clip_config;
  int32_t *ids;
  ATL_TRY(copy_codes(p, text, c->vocabulary, &ids));
  ATL_TRY(
      new_result(p, "text_features", ATL_F32, 2, (int64_t[]){text->shape[0], c->embedding_width}, (void **)features));
  return atl_clip_text_features(clip, *features, ids, (int32_t)text->shape[0]);
}

static atl_status_t probe_scores(probe_t *p, const atl_clip_t *clip, const atl_tensor_t *rgb, const float *images,
                                 const atl_tensor_t *text, const float *texts) {
  float *scores;
  int64_t n_images = rgb->shape[0], n_texts = text->shape[0], width = p->model->clip_config.embedding_width;
  ATL_TRY(new_result(p, "scores", ATL_F32, 2, (int64_t[]){n_images, n_texts}, (void **)&scores));
  for (int64_t i = 0; i < n_images; i++)
    for (int64_t j = 0; j < n_texts; j++)
      scores[i * n_texts + j] = atl_clip_score(clip, images + i * width, texts + j * width);
  return ATL_OK;
}

static atl_status_t probe_clip(probe_t *p) {
  const atl_tensor_t *rgb, *text;
  ATL_TRY(find_input(p, "clip_rgb", ATL_U8, 4, (int64_t[]){-1, -1, -1, 3}, &rgb));
  ATL_TRY(find_input(p, "clip_text", ATL_I32, 2, (int64_t[]){-1, p->model->clip_config.context_length}, &text));
  if (rgb == NULL && text == NULL) return ATL_OK;
  ATL_CHECK(rgb == NULL || (rgb->shape[1] > 0 && rgb->shape[2] > 0), INPUT,
            "%s: clip_rgb: expected pictures of at least 1 x 1 pixels, found %lld x %lld", p->settings.in,
            (long long)rgb->shape[2], (long long)rgb->shape[1]);
  atl_clip_t *clip;
  float *images = NULL, *texts = NULL;
  ATL_TRY(atl_clip_new(p->model, p->compute.dtype, &clip));
  atl_status_t status = ATL_OK;
  if (rgb != NULL) status = probe_clip_images(p, clip, rgb, &images);
  if (status == ATL_OK && text != NULL) status = probe_clip_texts(p, clip, text, &texts);
  if (status == ATL_OK && images != NULL && texts != NULL) status = probe_scores(p, clip, rgb, images, text, texts);
  atl_clip_destroy(&clip);
  return status;
}

static atl_status_t save(probe_t *p) {
  if (p->model->has_vae) ATL_TRY(probe_vae(p));
  if (p->model->has_clip) ATL_TRY(probe_clip(p));
  ATL_CHECK(p->n_results > 0, INPUT,
            "%s: expected text, codes, rgb, clip_rgb or clip_text, found none that this model computes from",
            p->settings.in);
  return atl_safetensors_save(p->settings.out, p->results, p->n_results, NULL, 0);
}

static atl_status_t finish(void *context, const atl_run_summary_t *summary) {
  (void)summary;
  return save(context);
}

static atl_status_t open_and_save(probe_t *p) {
  atl_model_t *model;
  ATL_TRY(atl_model_open(p->settings.model, &model));
  p->model = model;
  atl_status_t status = save(p);
  atl_model_destroy(&model);
  return status;
}

/* Without text no pipeline is needed and rank 0 computes alone. Collective over the launch, if there is one. */
static atl_status_t run_alone(probe_t *p) {
  if (!atl_comm_is_launched()) return open_and_save(p);
  atl_comm_t *world;
  ATL_TRY(atl_comm_start(NULL, NULL, &world));
  atl_status_t status = atl_comm_agree(world, atl_comm_rank(world) == 0 ? open_and_save(p) : ATL_OK);
  atl_comm_stop(&world);
  return status;
}

static atl_status_t run(probe_t *p, int argc, char **argv, const atl_worker_ops_t *worker_ops) {
  const settings_t *s = &p->settings;
  ATL_CHECK(s->model != NULL && s->in != NULL && s->out != NULL, USAGE,
            "expected --model DIR, --in FILE and --out FILE; see atelier probe --help");
  ATL_CHECK(s->layout.pipelines >= 1 && s->layout.pipelines <= ATL_MAX_RANKS, USAGE,
            "--pipelines %lld: expected 1 to %d", (long long)s->layout.pipelines, ATL_MAX_RANKS);
  ATL_TRY(atl_layout_options_check(&s->layout, NULL));
  ATL_TRY(atl_compute_parse(&s->compute, &p->compute));
  ATL_TRY(atl_safetensors_open(s->in, &p->in));
  if (atl_safetensors_find(p->in, "text") == NULL) return run_alone(p);
  atl_task_t task = {.context = p, .prepare = prepare, .make_plan = make_plan, .begin = begin, .finish = finish};
  return atl_launch_run(argc, argv, worker_ops, &task);
}

atl_status_t atl_command_probe(int argc, char **argv, const atl_worker_ops_t *worker_ops) {
  probe_t p = {0};
  bool wants_help;
  ATL_TRY(atl_options_parse(&usage, argc, argv, &p.settings, NULL, &wants_help));
  if (wants_help) {
    atl_options_help(&usage, stdout);
    return ATL_OK;
  }
  atl_status_t status = run(&p, argc, argv, worker_ops);
  atl_safetensors_destroy(&p.in);
  atl_arena_clear(&p.arena);
  return status;
}
