/* Packing: plain struct -> generated struct, which borrows its arrays -> bytes. Unpacking is the reverse. The check_*
 * functions validate in both directions. Unpacking allocates in the caller's arena through protobuf-c's allocator hook,
 * so a malformed message leaks nothing; protobuf-c's NULL becomes a status here. */
#include "proto/wire.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"
#include "proto/atelier.pb-c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token grids are sent as u16 in native byte order");

/* ---- bytes ---- */

void atl_buffer_clear(atl_buffer_t *buffer) {
  ATL_DESTROY(&buffer->bytes);
  atl_memory_destroy(&buffer->scratch);
  *buffer = (atl_buffer_t){0};
}

static atl_status_t take_scratch(atl_buffer_t *buffer, size_t n_bytes, void **scratch) {
  if (n_bytes > buffer->scratch_bytes) {
    atl_memory_destroy(&buffer->scratch);
    buffer->scratch_bytes = 0;
    ATL_TRY(atl_memory_new(2 * n_bytes, 1, &buffer->scratch));
    buffer->scratch_bytes = 2 * n_bytes;
  }
  *scratch = buffer->scratch;
  return ATL_OK;
}

static atl_status_t pack(const ProtobufCMessage *message, atl_buffer_t *buffer) {
  size_t n = protobuf_c_message_get_packed_size(message);
  if (n > buffer->capacity || buffer->bytes == NULL) {
    ATL_DESTROY(&buffer->bytes);
    buffer->capacity = 0;
    ATL_TRY(ATL_NEW(2 * n + 64, &buffer->bytes));
    buffer->capacity = 2 * n + 64;
  }
  buffer->n = protobuf_c_message_pack(message, (uint8_t *)buffer->bytes);
  return ATL_OK;
}

typedef struct {
  atl_arena_t *arena;
  atl_status_t status; /* of the first failed allocation */
} source_t;

static void *allocate(void *context, size_t n_bytes) {
  source_t *source = context;
  void *block = NULL;
  if (source->status == ATL_OK) source->status = atl_arena_take(source->arena, n_bytes, 1, &block);
  return block;
}

/* The arena frees all blocks at once. */
static void release(void *context, void *block) {
  (void)context;
  (void)block;
}

/* Stores a pointer to the unpacked message (the generated type of `descriptor`, owned by the arena) at *message. */
static atl_status_t unpack(const ProtobufCMessageDescriptor *descriptor, const char *bytes, size_t n_bytes,
                           atl_arena_t *arena, void *message) {
  source_t source = {arena, ATL_OK};
  ProtobufCAllocator allocator = {allocate, release, &source};
  ProtobufCMessage *made = protobuf_c_message_unpack(descriptor, &allocator, n_bytes, (const uint8_t *)bytes);
  ATL_TRY(source.status);
  ATL_CHECK(made != NULL, INPUT,
            "%zu bytes are not a complete %s message: truncated, corrupt or from another version of atelier", n_bytes,
            descriptor->short_name);
  memcpy(message, &made, sizeof made);
  return ATL_OK;
}

/* ---- validation ---- */

static atl_status_t check_number(const char *name, uint64_t value, uint64_t min, uint64_t max) {
  ATL_CHECK(value >= min && value <= max, INPUT, "message field %s: expected %llu to %llu, found %llu", name,
            (unsigned long long)min, (unsigned long long)max, (unsigned long long)value);
  return ATL_OK;
}

static atl_status_t check_int(const char *name, int64_t value, int64_t min, int64_t max) {
  ATL_CHECK(value >= min && value <= max, INPUT, "message field %s: expected %lld to %lld, found %lld", name,
            (long long)min, (long long)max, (long long)value);
  return ATL_OK;
}

static atl_status_t check_text(const char *name, const char *text) {
  ATL_CHECK(text != NULL, INPUT, "message field %s: expected a string, found none", name);
  return ATL_OK;
}

static atl_status_t check_candidate(const atl_candidate_t *candidate) {
  ATL_TRY(check_int("candidate.prompt", candidate->prompt, 0, ATL_MAX_PROMPTS - 1));
  return check_int("candidate.sample", candidate->sample, 0, ATL_MAX_SAMPLES - 1);
}

static atl_status_t check_sampling(const atl_sampling_t *sampling) {
  if (atl_sampling_check(sampling) == ATL_OK) return ATL_OK;
  return ATL_FAIL(INPUT, "message field sampling: %s", atl_status_message());
}

static atl_status_t check_dtypes(const atl_job_t *job) {
  ATL_CHECK(job->dtype == ATL_F32 || job->dtype == ATL_BF16, INPUT,
            "message field job.dtype: expected the dtype F32 or BF16, found %d", (int)job->dtype);
  ATL_CHECK(job->kv == ATL_F32 || job->kv == ATL_BF16 || job->kv == ATL_I8, INPUT,
            "message field job.kv: expected the dtype F32, BF16 or I8, found %d", (int)job->kv);
  return check_int("job.backend", job->backend, 0, INT32_MAX);
}

static atl_status_t check_prompt(const atl_prompt_t *prompt) {
  ATL_TRY(check_text("prompt.id", prompt->id));
  ATL_TRY(check_text("prompt.text", prompt->text));
  ATL_CHECK(prompt->id[0] != '\0', INPUT, "message field prompt.id: expected a name, found an empty string");
  ATL_TRY(check_int("prompt.n_samples", prompt->n_samples, 1, ATL_MAX_SAMPLES));
  ATL_TRY(check_int("prompt.n_ids", prompt->n_ids, 0, ATL_MAX_CODES));
  return check_int("prompt.n_clip_ids", prompt->n_clip_ids, 0, ATL_MAX_CODES);
}

static atl_status_t check_job(const atl_job_t *job) {
  ATL_TRY(check_text("job.model", job->model));
  ATL_TRY(check_text("job.out", job->out));
  ATL_TRY(check_dtypes(job));
  ATL_TRY(check_sampling(&job->sampling));
  ATL_TRY(check_int("job.n_prompts", job->n_prompts, 0, ATL_MAX_PROMPTS));
  for (int32_t i = 0; i < job->n_prompts; i++) ATL_TRY(check_prompt(&job->prompts[i]));
  ATL_TRY(check_int("job.n_null_ids", job->n_null_ids, 0, ATL_MAX_CODES));
  ATL_TRY(check_int("job.n_prime", job->n_prime, 0, ATL_MAX_CODES));
  ATL_TRY(check_int("job.n_forced", job->n_forced, 0, ATL_MAX_PROMPTS));
  for (int32_t i = 0; i < job->n_forced; i++)
    ATL_TRY(check_int("job.forced.n_codes", job->forced[i].n_codes, 0, ATL_MAX_CODES));
  ATL_TRY(check_int("job.n_keep", job->n_keep, 0, INT32_MAX));
  ATL_TRY(check_int("job.measured_microbatch", job->measured_microbatch, 0, ATL_MAX_MICROBATCH));
  return check_int("job.png_level", job->png_level, 0, 9);
}

static atl_status_t check_grid(const atl_grid_t *grid) {
  ATL_TRY(check_candidate(&grid->candidate));
  ATL_CHECK(!grid->has_threshold || !isnan(grid->threshold), INPUT, "message field grid.threshold: found NaN");
  return check_int("grid.n_codes", grid->n_codes, 0, ATL_MAX_CODES);
}

static atl_status_t check_record(const atl_record_t *record) {
  ATL_TRY(check_candidate(&record->candidate));
  ATL_CHECK(strspn(record->sha256, "0123456789abcdef") == 64 && record->sha256[64] == '\0', INPUT,
            "message field record.sha256: expected 64 lower-case hex digits, found '%.64s'", record->sha256);
  return ATL_OK;
}

static atl_status_t check_role(const atl_role_t *role) {
  ATL_TRY(check_int("role.kind", (int64_t)role->kind, 0, ATL_N_ROLES - 1));
  ATL_TRY(check_int("role.pipeline", role->i_pipeline, 0, INT32_MAX));
  ATL_TRY(check_int("role.stage", role->i_stage, 0, INT32_MAX));
  return check_int("role.decoder", role->i_decoder, 0, INT32_MAX);
}

static atl_status_t check_failure(const atl_failure_t *failure) {
  ATL_TRY(check_int("failure.status", (int64_t)failure->status, ATL_OK + 1, ATL_N_STATUSES - 1));
  return check_text("failure.message", failure->message);
}

static atl_status_t check_report(const atl_report_t *report) {
  const double seconds[] = {report->busy,     report->waiting, report->draw,         report->io,
                            report->progress, report->prefill, report->backpressure, report->before,
                            report->after,    report->last,    report->score};
  for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
    ATL_CHECK(isfinite(seconds[i]) && seconds[i] >= 0, INPUT,
              "a report of rank %d: expected finite seconds from 0, found %g", (int)report->rank, seconds[i]);
  ATL_TRY(check_role(&report->role));
  return check_int("report.rank", report->rank, 0, INT32_MAX);
}

/* Converts integers that are unsigned in messages and signed in our structs. */
static atl_status_t get_int(const char *name, uint32_t value, int32_t *out) {
  ATL_TRY(check_number(name, value, 0, INT32_MAX));
  *out = (int32_t)value;
  return ATL_OK;
}

static atl_status_t get_count(const char *name, size_t n, size_t max, int32_t *out) {
  ATL_TRY(check_number(name, n, 0, max));
  *out = (int32_t)n;
  return ATL_OK;
}

static atl_status_t get_candidate(const Atelier__Candidate *from, atl_candidate_t *candidate) {
  ATL_TRY(get_int("candidate.prompt", from->prompt, &candidate->prompt));
  ATL_TRY(get_int("candidate.sample", from->sample, &candidate->sample));
  return check_candidate(candidate);
}

static Atelier__Candidate candidate_of(const atl_candidate_t *candidate) {
  Atelier__Candidate message = ATELIER__CANDIDATE__INIT;
  message.prompt = (uint32_t)candidate->prompt;
  message.sample = (uint32_t)candidate->sample;
  return message;
}

/* ---- ask ---- */

atl_status_t atl_wire_pack_ask(const atl_ask_t *ask, atl_buffer_t *buffer) {
  ATL_TRY(check_int("ask.role", ask->role, 0, INT32_MAX));
  ATL_TRY(check_int("ask.n", ask->n, 0, INT32_MAX));
  Atelier__Ask message = ATELIER__ASK__INIT;
  message.role = (uint32_t)ask->role;
  message.n = (uint32_t)ask->n;
  return pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_ask(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_ask_t *ask) {
  Atelier__Ask *message;
  ATL_TRY(unpack(&atelier__ask__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(get_int("ask.role", message->role, &ask->role));
  return get_int("ask.n", message->n, &ask->n);
}

/* ---- assignment ---- */

atl_status_t atl_wire_pack_assignment(const atl_assignment_t *assignment, atl_buffer_t *buffer) {
  int32_t n = assignment->n_candidates;
  ATL_TRY(check_int("assignment.n_candidates", n, 0, ATL_MAX_MICROBATCH));
  Atelier__Candidate *candidates;
  Atelier__Candidate **pointers;
  ATL_TRY(take_scratch(buffer, (size_t)n * (sizeof *candidates + sizeof *pointers), (void **)&candidates));
  pointers = (Atelier__Candidate **)(void *)(candidates + n);
  for (int32_t i = 0; i < n; i++) {
    ATL_TRY(check_candidate(&assignment->candidates[i]));
    candidates[i] = candidate_of(&assignment->candidates[i]);
    pointers[i] = &candidates[i];
  }
  Atelier__Assignment message = ATELIER__ASSIGNMENT__INIT;
  message.n_candidates = (size_t)n;
  message.candidates = pointers;
  return pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_assignment(const char *bytes, size_t n_bytes, atl_arena_t *arena,
                                        atl_assignment_t *assignment) {
  Atelier__Assignment *message;
  atl_candidate_t *candidates;
  ATL_TRY(unpack(&atelier__assignment__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(get_count("assignment.n_candidates", message->n_candidates, ATL_MAX_MICROBATCH, &assignment->n_candidates));
  ATL_TRY(ATL_TAKE(arena, message->n_candidates, &candidates));
  for (size_t i = 0; i < message->n_candidates; i++) ATL_TRY(get_candidate(message->candidates[i], &candidates[i]));
  assignment->candidates = candidates;
  return ATL_OK;
}

/* ---- grids ---- */

typedef struct {
  Atelier__Grid grid;
  Atelier__Candidate candidate;
} grid_message_t;

static void fill_grid(const atl_grid_t *grid, grid_message_t *message) {
  atelier__grid__init(&message->grid);
  message->candidate = candidate_of(&grid->candidate);
  message->grid.candidate = &message->candidate;
  message->grid.codes.len = (size_t)grid->n_codes * sizeof *grid->codes;
  message->grid.codes.data = (uint8_t *)(uintptr_t)grid->codes; /* read only */
  message->grid.has_threshold = grid->has_threshold;
  message->grid.threshold = grid->threshold;
}

atl_status_t atl_wire_pack_grids(const atl_grids_t *grids, atl_buffer_t *buffer) {
  int32_t n = grids->n_grids;
  ATL_TRY(check_int("grids.n_grids", n, 0, ATL_MAX_MICROBATCH));
  grid_message_t *messages;
  Atelier__Grid **pointers;
  ATL_TRY(take_scratch(buffer, (size_t)n * (sizeof *messages + sizeof *pointers), (void **)&messages));
  pointers = (Atelier__Grid **)(void *)(messages + n);
  for (int32_t i = 0; i < n; i++) {
    ATL_TRY(check_grid(&grids->grids[i]));
    fill_grid(&grids->grids[i], &messages[i]);
    pointers[i] = &messages[i].grid;
  }
  Atelier__Grids message = ATELIER__GRIDS__INIT;
  message.n_grids = (size_t)n;
  message.grids = pointers;
  return pack(&message.base, buffer);
}

static atl_status_t get_grid(const Atelier__Grid *from, atl_grid_t *grid) {
  ATL_TRY(get_candidate(from->candidate, &grid->candidate));
  ATL_CHECK(from->codes.len % sizeof *grid->codes == 0, INPUT,
            "message field grid.codes: expected 2 bytes per image token, found %zu bytes", from->codes.len);
  ATL_TRY(get_count("grid.n_codes", from->codes.len / sizeof *grid->codes, ATL_MAX_CODES, &grid->n_codes));
  grid->codes = (const uint16_t *)(const void *)from->codes.data; /* arena blocks are aligned */
  grid->has_threshold = from->has_threshold;
  grid->threshold = from->has_threshold ? from->threshold : 0;
  return check_grid(grid);
}

atl_status_t atl_wire_unpack_grids(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_grids_t *grids) {
  Atelier__Grids *message;
  atl_grid_t *made;
  ATL_TRY(unpack(&atelier__grids__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(get_count("grids.n_grids", message->n_grids, ATL_MAX_MICROBATCH, &grids->n_grids));
  ATL_TRY(ATL_TAKE(arena, message->n_grids, &made));
  for (size_t i = 0; i < message->n_grids; i++) ATL_TRY(get_grid(message->grids[i], &made[i]));
  grids->grids = made;
  return ATL_OK;
}

/* ---- record ---- */

atl_status_t atl_wire_pack_record(const atl_record_t *record, atl_buffer_t *buffer) {
  ATL_TRY(check_record(record));
  Atelier__Record message = ATELIER__RECORD__INIT;
  Atelier__Candidate candidate = candidate_of(&record->candidate);
  message.candidate = &candidate;
  message.score = record->score;
  message.sha256 = (char *)(uintptr_t)record->sha256; /* read only */
  message.n_bytes = record->n_bytes;
  message.is_written = record->is_written;
  return pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_record(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_record_t *record) {
  Atelier__Record *message;
  ATL_TRY(unpack(&atelier__record__descriptor, bytes, n_bytes, arena, &message));
  *record = (atl_record_t){.score = message->score, .n_bytes = message->n_bytes, .is_written = message->is_written};
  ATL_TRY(check_number("record.sha256 (length)", strlen(message->sha256), 64, 64));
  memcpy(record->sha256, message->sha256, sizeof record->sha256);
  ATL_TRY(get_candidate(message->candidate, &record->candidate));
  return check_record(record);
}

/* ---- report ---- */

typedef struct {
  Atelier__Report report;
  Atelier__Role role;
} report_message_t;

static Atelier__Role role_of(const atl_role_t *role) {
  Atelier__Role message = ATELIER__ROLE__INIT;
  message.kind = (uint32_t)role->kind;
  message.pipeline = (uint32_t)role->i_pipeline;
  message.stage = (uint32_t)role->i_stage;
  message.decoder = (uint32_t)role->i_decoder;
  return message;
}

static void fill_report(const atl_report_t *report, report_message_t *filled) {
  Atelier__Report message = ATELIER__REPORT__INIT;
  filled->role = role_of(&report->role);
  message.role = &filled->role;
  message.rank = (uint32_t)report->rank;
  message.busy = report->busy;
  message.waiting = report->waiting;
  message.draw = report->draw;
  message.io = report->io;
  message.n_rows = report->n_rows;
  message.n_steps = report->n_steps;
  message.peak_bytes = report->peak_bytes;
  message.resident_bytes = report->resident_bytes;
  message.progress = report->progress;
  message.prefill = report->prefill;
  message.backpressure = report->backpressure;
  message.before = report->before;
  message.after = report->after;
  message.last = report->last;
  message.score = report->score;
  message.n_prefills = report->n_prefills;
  filled->report = message;
}

atl_status_t atl_wire_pack_report(const atl_report_t *report, atl_buffer_t *buffer) {
  report_message_t message;
  ATL_TRY(check_report(report));
  fill_report(report, &message);
  return pack(&message.report.base, buffer);
}

atl_status_t atl_wire_pack_reports(const atl_reports_t *reports, atl_buffer_t *buffer) {
  int32_t n = reports->n_reports;
  ATL_TRY(check_int("reports.n_reports", n, 0, ATL_MAX_ROLES_PER_RANK));
  report_message_t messages[ATL_MAX_ROLES_PER_RANK];
  Atelier__Report *pointers[ATL_MAX_ROLES_PER_RANK];
  for (int32_t i = 0; i < n; i++) {
    ATL_TRY(check_report(&reports->reports[i]));
    fill_report(&reports->reports[i], &messages[i]);
    pointers[i] = &messages[i].report;
  }
  Atelier__Reports message = ATELIER__REPORTS__INIT;
  message.n_reports = (size_t)n;
  message.reports = pointers;
  return pack(&message.base, buffer);
}

static atl_status_t get_role(const Atelier__Role *from, atl_role_t *role) {
  ATL_TRY(check_number("role.kind", from->kind, 0, ATL_N_ROLES - 1));
  *role = (atl_role_t){.kind = (atl_role_kind_t)from->kind};
  ATL_TRY(get_int("role.pipeline", from->pipeline, &role->i_pipeline));
  ATL_TRY(get_int("role.stage", from->stage, &role->i_stage));
  return get_int("role.decoder", from->decoder, &role->i_decoder);
}

static atl_status_t get_report(const Atelier__Report *message, atl_report_t *report) {
  *report = (atl_report_t){.busy = message->busy,
                           .waiting = message->waiting,
                           .draw = message->draw,
                           .io = message->io,
                           .n_rows = message->n_rows,
                           .n_steps = message->n_steps,
                           .peak_bytes = message->peak_bytes,
                           .resident_bytes = message->resident_bytes,
                           .progress = message->progress,
                           .prefill = message->prefill,
                           .backpressure = message->backpressure,
                           .before = message->before,
                           .after = message->after,
                           .last = message->last,
                           .score = message->score,
                           .n_prefills = message->n_prefills};
  ATL_TRY(get_role(message->role, &report->role));
  ATL_TRY(get_int("report.rank", message->rank, &report->rank));
  return check_report(report);
}

atl_status_t atl_wire_unpack_report(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_report_t *report) {
  Atelier__Report *message;
  ATL_TRY(unpack(&atelier__report__descriptor, bytes, n_bytes, arena, &message));
  return get_report(message, report);
}

atl_status_t atl_wire_unpack_reports(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_reports_t *reports) {
  Atelier__Reports *message;
  atl_report_t *made;
  ATL_TRY(unpack(&atelier__reports__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(get_count("reports.n_reports", message->n_reports, ATL_MAX_ROLES_PER_RANK, &reports->n_reports));
  ATL_TRY(ATL_TAKE(arena, message->n_reports, &made));
  for (size_t i = 0; i < message->n_reports; i++) ATL_TRY(get_report(message->reports[i], &made[i]));
  reports->reports = made;
  return ATL_OK;
}

/* ---- failure ---- */

atl_status_t atl_wire_pack_failure(const atl_failure_t *failure, atl_buffer_t *buffer) {
  ATL_TRY(check_failure(failure));
  Atelier__Failure message = ATELIER__FAILURE__INIT;
  message.status = (uint32_t)failure->status;
  message.message = (char *)(uintptr_t)failure->message; /* read only */
  return pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_failure(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_failure_t *failure) {
  Atelier__Failure *message;
  ATL_TRY(unpack(&atelier__failure__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(check_number("failure.status", message->status, ATL_OK + 1, ATL_N_STATUSES - 1));
  *failure = (atl_failure_t){.status = (atl_status_t)message->status, .message = message->message};
  return check_failure(failure);
}

/* ---- job ---- */

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
  ATL_TRY(get_int("prompt.n_samples", from->n_samples, &prompt->n_samples));
  ATL_TRY(get_count("prompt.n_ids", from->n_ids, ATL_MAX_CODES, &prompt->n_ids));
  return get_count("prompt.n_clip_ids", from->n_clip_ids, ATL_MAX_CODES, &prompt->n_clip_ids);
}

static atl_status_t get_prompts(const Atelier__Job *message, atl_arena_t *arena, atl_job_t *job) {
  atl_prompt_t *prompts;
  ATL_TRY(get_count("job.n_prompts", message->n_prompts, ATL_MAX_PROMPTS, &job->n_prompts));
  ATL_TRY(ATL_TAKE(arena, message->n_prompts, &prompts));
  for (size_t i = 0; i < message->n_prompts; i++) ATL_TRY(get_prompt(message->prompts[i], &prompts[i]));
  job->prompts = prompts;
  return ATL_OK;
}

static atl_status_t get_forced(const Atelier__Job *message, atl_arena_t *arena, atl_job_t *job) {
  atl_forced_image_t *forced;
  ATL_TRY(get_count("job.n_forced", message->n_forced, ATL_MAX_PROMPTS, &job->n_forced));
  ATL_TRY(ATL_TAKE(arena, message->n_forced, &forced));
  for (size_t i = 0; i < message->n_forced; i++) {
    forced[i].codes = message->forced[i]->codes;
    ATL_TRY(get_count("job.forced.n_codes", message->forced[i]->n_codes, ATL_MAX_CODES, &forced[i].n_codes));
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
  ATL_TRY(check_number(name, value, 0, ATL_N_DTYPES - 1));
  *dtype = (atl_dtype_t)value;
  return ATL_OK;
}

atl_status_t atl_wire_unpack_job(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_job_t *job) {
  Atelier__Job *message;
  ATL_TRY(unpack(&atelier__job__descriptor, bytes, n_bytes, arena, &message));
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
  ATL_TRY(get_int("job.backend", message->backend, &job->backend));
  ATL_TRY(get_prompts(message, arena, job));
  ATL_TRY(get_forced(message, arena, job));
  ATL_TRY(get_count("job.n_null_ids", message->n_null_ids, ATL_MAX_CODES, &job->n_null_ids));
  ATL_TRY(get_count("job.n_prime", message->n_prime, ATL_MAX_CODES, &job->n_prime));
  ATL_TRY(get_int("job.n_keep", message->n_keep, &job->n_keep));
  ATL_TRY(get_int("job.png_level", message->png_level, &job->png_level));
  ATL_TRY(get_int("job.measured_microbatch", message->measured_microbatch, &job->measured_microbatch));
  return check_job(job);
}
