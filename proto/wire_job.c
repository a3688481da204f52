/* The job, broadcast once before the loop: settings, prompts with their ids, primed and forced images. Checked when it is
 * packed and when it is unpacked. */
#include "common/memory.h"
#include "proto/wire.h"
#include "proto/wire_private.h"

static atl_status_t check_sampling(const atl_sampling_t *sampling) {
  if (atl_sampling_check(sampling) == ATL_OK) return ATL_OK;
  return ATL_FAIL(INPUT, "message field sampling: %s", atl_status_message());
}

static atl_status_t check_dtypes(const atl_job_t *job) {
  ATL_CHECK(job->dtype == ATL_F32 || job->dtype == ATL_BF16, INPUT,
            "message field job.dtype: expected the dtype F32 or BF16, found %d", (int)job->dtype);
  ATL_CHECK(job->kv == ATL_F32 || job->kv == ATL_BF16 || job->kv == ATL_I8, INPUT,
            "message field job.kv: expected the dtype F32, BF16 or I8, found %d", (int)job->kv);
  return atl_wire_check_int("job.backend", job->backend, 0, INT32_MAX);
}

static atl_status_t check_prompt(const atl_prompt_t *prompt) {
  ATL_TRY(atl_wire_check_text("prompt.id", prompt->id));
  ATL_TRY(atl_wire_check_text("prompt.text", prompt->text));
  ATL_CHECK(prompt->id[0] != '\0', INPUT, "message field prompt.id: expected a name, found an empty string");
  ATL_TRY(atl_wire_check_int("prompt.n_samples", prompt->n_samples, 1, ATL_MAX_SAMPLES));
  ATL_TRY(atl_wire_check_int("prompt.n_ids", prompt->n_ids, 0, ATL_MAX_CODES));
  return atl_wire_check_int("prompt.n_clip_ids", prompt->n_clip_ids, 0, ATL_MAX_CODES);
}

static atl_status_t check_job(const atl_job_t *job) {
  ATL_TRY(atl_wire_check_text("job.model", job->model));
  ATL_TRY(atl_wire_check_text("job.out", job->out));
  ATL_TRY(check_dtypes(job));
  ATL_TRY(check_sampling(&job->sampling));
  ATL_TRY(atl_wire_check_int("job.n_prompts", job->n_prompts, 0, ATL_MAX_PROMPTS));
  for (int32_t i = 0; i < job->n_prompts; i++) ATL_TRY(check_prompt(&job->prompts[i]));
  ATL_TRY(atl_wire_check_int("job.n_null_ids", job->n_null_ids, 0, ATL_MAX_CODES));
  ATL_TRY(atl_wire_check_int("job.n_prime", job->n_prime, 0, ATL_MAX_CODES));
  ATL_TRY(atl_wire_check_int("job.n_forced", job->n_forced, 0, ATL_MAX_PROMPTS));
  for (int32_t i = 0; i < job->n_forced; i++)
    ATL_TRY(atl_wire_check_int("job.forced.n_codes", job->forced[i].n_codes, 0, ATL_MAX_CODES));
  ATL_TRY(atl_wire_check_int("job.n_keep", job->n_keep, 0, INT32_MAX));
  ATL_TRY(atl_wire_check_int("job.measured_microbatch", job->measured_microbatch, 0, ATL_MAX_MICROBATCH));
  return atl_wire_check_int("job.png_level", job->png_level, 0, 9);
}

/* Generated structs borrow these arrays through non-const pointers, but packing does not write to them. */
static char *borrow_text(const char *text) { return (char *)(uintptr_t)text; }
static int32_t *borrow_ints(const int32_t *ints) { return (int32_t *)(uintptr_t)ints; }

static void fill_prompt(const atl_prompt_t *prompt, Atelier__Prompt *message) {
  atelier__prompt__init(message);
  message->id = borrow_text(prompt->id);
  message->text = borrow_text(prompt->text);
  message->key = prompt->key;
  message->seed = prompt->seed;
  message->n_samples = (uint32_t)prompt->n_samples;
  message->n_ids = (size_t)prompt->n_ids;
  message->ids = borrow_ints(prompt->ids);
  message->n_clip_ids = (size_t)prompt->n_clip_ids;
  message->clip_ids = borrow_ints(prompt->clip_ids);
}

static atl_status_t fill_prompts(const atl_job_t *job, atl_arena_t *arena, Atelier__Job *message) {
  Atelier__Prompt *prompts;
  ATL_TRY(ATL_TAKE(arena, job->n_prompts, &prompts));
  ATL_TRY(ATL_TAKE(arena, job->n_prompts, &message->prompts));
  message->n_prompts = (size_t)job->n_prompts;
  for (int32_t i = 0; i < job->n_prompts; i++) {
    fill_prompt(&job->prompts[i], &prompts[i]);
    message->prompts[i] = &prompts[i];
  }
  return ATL_OK;
}

static atl_status_t fill_forced(const atl_job_t *job, atl_arena_t *arena, Atelier__Job *message) {
  Atelier__ForcedImage *forced;
  ATL_TRY(ATL_TAKE(arena, job->n_forced, &forced));
  ATL_TRY(ATL_TAKE(arena, job->n_forced, &message->forced));
  message->n_forced = (size_t)job->n_forced;
  for (int32_t i = 0; i < job->n_forced; i++) {
    atelier__forced_image__init(&forced[i]);
    forced[i].n_codes = (size_t)job->forced[i].n_codes;
    forced[i].codes = borrow_ints(job->forced[i].codes);
    message->forced[i] = &forced[i];
  }
  return ATL_OK;
}

static void fill_sampling(const atl_sampling_t *sampling, Atelier__Sampling *message) {
  atelier__sampling__init(message);
  message->greedy = sampling->greedy;
  message->temperature = sampling->temperature;
  message->top_k = sampling->top_k;
  message->top_p = sampling->top_p;
  message->filter_thres = sampling->filter_thres;
  message->guidance = sampling->guidance;
}

static void fill_scalars(const atl_job_t *job, Atelier__Job *message) {
  message->model = borrow_text(job->model);
  message->out = borrow_text(job->out);
  message->n_null_ids = (size_t)job->n_null_ids;
  message->null_ids = borrow_ints(job->null_ids);
  message->n_prime = (size_t)job->n_prime;
  message->prime = borrow_ints(job->prime);
  message->dtype = (uint32_t)job->dtype;
  message->kv = (uint32_t)job->kv;
  message->backend = (uint32_t)job->backend;
  message->is_ranked = job->is_ranked;
  message->wants_logits = job->wants_logits;
  message->n_keep = (uint32_t)job->n_keep;
  message->trace = borrow_text(job->trace);
  message->png_level = (uint32_t)job->png_level;
  message->measured_microbatch = (uint32_t)job->measured_microbatch;
}

static atl_status_t pack_job(const atl_job_t *job, atl_arena_t *arena, char **bytes, size_t *n_bytes) {
  Atelier__Job message = ATELIER__JOB__INIT;
  Atelier__Sampling sampling;
  fill_sampling(&job->sampling, &sampling);
  message.sampling = &sampling;
  fill_scalars(job, &message);
  ATL_TRY(fill_prompts(job, arena, &message));
  ATL_TRY(fill_forced(job, arena, &message));
  ATL_TRY(ATL_NEW(atelier__job__get_packed_size(&message), bytes));
  *n_bytes = atelier__job__pack(&message, (uint8_t *)*bytes);
  return ATL_OK;
}

atl_status_t atl_wire_pack_job(const atl_job_t *job, char **bytes, size_t *n_bytes) {
  *bytes = NULL;
  *n_bytes = 0;
  ATL_TRY(check_job(job));
  atl_arena_t arena = {0};
  atl_status_t status = pack_job(job, &arena, bytes, n_bytes);
  atl_arena_clear(&arena);
  return status;
}

static atl_status_t get_prompt(const Atelier__Prompt *from, atl_prompt_t *prompt) {
  *prompt = (atl_prompt_t){.id = from->id,
                           .text = from->text,
                           .key = from->key,
                           .seed = from->seed,
                           .ids = from->ids,
                           .clip_ids = from->clip_ids};
  ATL_TRY(atl_wire_get_int("prompt.n_samples", from->n_samples, &prompt->n_samples));
  ATL_TRY(atl_wire_get_count("prompt.n_ids", from->n_ids, ATL_MAX_CODES, &prompt->n_ids));
  return atl_wire_get_count("prompt.n_clip_ids", from->n_clip_ids, ATL_MAX_CODES, &prompt->n_clip_ids);
}

static atl_status_t get_prompts(const Atelier__Job *message, atl_arena_t *arena, atl_job_t *job) {
  atl_prompt_t *prompts;
  ATL_TRY(atl_wire_get_count("job.n_prompts", message->n_prompts, ATL_MAX_PROMPTS, &job->n_prompts));
  ATL_TRY(ATL_TAKE(arena, message->n_prompts, &prompts));
  for (size_t i = 0; i < message->n_prompts; i++) ATL_TRY(get_prompt(message->prompts[i], &prompts[i]));
  job->prompts = prompts;
  return ATL_OK;
}

static atl_status_t get_forced(const Atelier__Job *message, atl_arena_t *arena, atl_job_t *job) {
  atl_forced_image_t *forced;
  ATL_TRY(atl_wire_get_count("job.n_forced", message->n_forced, ATL_MAX_PROMPTS, &job->n_forced));
  ATL_TRY(ATL_TAKE(arena, message->n_forced, &forced));
  for (size_t i = 0; i < message->n_forced; i++) {
    forced[i].codes = message->forced[i]->codes;
    ATL_TRY(atl_wire_get_count("job.forced.n_codes", message->forced[i]->n_codes, ATL_MAX_CODES, &forced[i].n_codes));
  }
  job->forced = forced;
  return ATL_OK;
}

static atl_sampling_t sampling_of(const Atelier__Sampling *from) {
  return (atl_sampling_t){.greedy = from->greedy,
                          .temperature = from->temperature,
                          .top_k = from->top_k,
                          .top_p = from->top_p,
                          .filter_thres = from->filter_thres,
                          .guidance = from->guidance};
}

static atl_status_t get_dtype(const char *name, uint32_t value, atl_dtype_t *dtype) {
  ATL_TRY(atl_wire_check_number(name, value, 0, ATL_N_DTYPES - 1));
  *dtype = (atl_dtype_t)value;
  return ATL_OK;
}

atl_status_t atl_wire_unpack_job(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_job_t *job) {
  Atelier__Job *message;
  ATL_TRY(atl_wire_unpack(&atelier__job__descriptor, bytes, n_bytes, arena, &message));
  *job = (atl_job_t){.model = message->model,
                     .out = message->out,
                     .sampling = sampling_of(message->sampling),
                     .null_ids = message->null_ids,
                     .prime = message->prime,
                     .is_ranked = message->is_ranked,
                     .wants_logits = message->wants_logits,
                     .trace = message->trace};
  ATL_TRY(get_dtype("job.dtype", message->dtype, &job->dtype));
  ATL_TRY(get_dtype("job.kv", message->kv, &job->kv));
  ATL_TRY(atl_wire_get_int("job.backend", message->backend, &job->backend));
  ATL_TRY(get_prompts(message, arena, job));
  ATL_TRY(get_forced(message, arena, job));
  ATL_TRY(atl_wire_get_count("job.n_null_ids", message->n_null_ids, ATL_MAX_CODES, &job->n_null_ids));
  ATL_TRY(atl_wire_get_count("job.n_prime", message->n_prime, ATL_MAX_CODES, &job->n_prime));
  ATL_TRY(atl_wire_get_int("job.n_keep", message->n_keep, &job->n_keep));
  ATL_TRY(atl_wire_get_int("job.png_level", message->png_level, &job->png_level));
  ATL_TRY(atl_wire_get_int("job.measured_microbatch", message->measured_microbatch, &job->measured_microbatch));
  return check_job(job);
}
