/* The messages of the loop: asks, assignments, token grids, records, reports, failures. Packing: plain struct -> generated
 * struct, which borrows its arrays -> bytes. Unpacking is the reverse. The check_* functions validate in both directions. */
#include <math.h>
#include <string.h>

#include "proto/wire.h"
#include "proto/wire_private.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token grids are sent as u16 in native byte order");

static atl_status_t check_candidate(const atl_candidate_t *candidate) {
  ATL_TRY(atl_wire_check_int("candidate.prompt", candidate->prompt, 0, ATL_MAX_PROMPTS - 1));
  return atl_wire_check_int("candidate.sample", candidate->sample, 0, ATL_MAX_SAMPLES - 1);
}

static atl_status_t check_grid(const atl_grid_t *grid) {
  ATL_TRY(check_candidate(&grid->candidate));
  ATL_CHECK(!grid->has_threshold || !isnan(grid->threshold), INPUT, "message field grid.threshold: found NaN");
  return atl_wire_check_int("grid.n_codes", grid->n_codes, 0, ATL_MAX_CODES);
}

static atl_status_t check_record(const atl_record_t *record) {
  ATL_TRY(check_candidate(&record->candidate));
  ATL_CHECK(strspn(record->sha256, "0123456789abcdef") == 64 && record->sha256[64] == '\0', INPUT,
            "message field record.sha256: expected 64 lower-case hex digits, found '%.64s'", record->sha256);
  return ATL_OK;
}

static atl_status_t check_role(const atl_role_t *role) {
  ATL_TRY(atl_wire_check_int("role.kind", (int64_t)role->kind, 0, ATL_N_ROLES - 1));
  ATL_TRY(atl_wire_check_int("role.pipeline", role->i_pipeline, 0, INT32_MAX));
  ATL_TRY(atl_wire_check_int("role.stage", role->i_stage, 0, INT32_MAX));
  return atl_wire_check_int("role.decoder", role->i_decoder, 0, INT32_MAX);
}

static atl_status_t check_failure(const atl_failure_t *failure) {
  ATL_TRY(atl_wire_check_int("failure.status", (int64_t)failure->status, ATL_OK + 1, ATL_N_STATUSES - 1));
  return atl_wire_check_text("failure.message", failure->message);
}

static atl_status_t check_report(const atl_report_t *report) {
  const double seconds[] = {report->busy,     report->waiting, report->draw,         report->io,
                            report->progress, report->prefill, report->backpressure, report->before,
                            report->after,    report->last,    report->score};
  for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
    ATL_CHECK(isfinite(seconds[i]) && seconds[i] >= 0, INPUT,
              "a report of rank %d: expected finite seconds from 0, found %g", (int)report->rank, seconds[i]);
  ATL_TRY(check_role(&report->role));
  return atl_wire_check_int("report.rank", report->rank, 0, INT32_MAX);
}

static atl_status_t get_candidate(const Atelier__Candidate *from, atl_candidate_t *candidate) {
  ATL_TRY(atl_wire_get_int("candidate.prompt", from->prompt, &candidate->prompt));
  ATL_TRY(atl_wire_get_int("candidate.sample", from->sample, &candidate->sample));
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
  ATL_TRY(atl_wire_check_int("ask.role", ask->role, 0, INT32_MAX));
  ATL_TRY(atl_wire_check_int("ask.n", ask->n, 0, INT32_MAX));
  Atelier__Ask message = ATELIER__ASK__INIT;
  message.role = (uint32_t)ask->role;
  message.n = (uint32_t)ask->n;
  return atl_wire_pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_ask(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_ask_t *ask) {
  Atelier__Ask *message;
  ATL_TRY(atl_wire_unpack(&atelier__ask__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(atl_wire_get_int("ask.role", message->role, &ask->role));
  return atl_wire_get_int("ask.n", message->n, &ask->n);
}

/* ---- assignment ---- */

atl_status_t atl_wire_pack_assignment(const atl_assignment_t *assignment, atl_buffer_t *buffer) {
  int32_t n = assignment->n_candidates;
  ATL_TRY(atl_wire_check_int("assignment.n_candidates", n, 0, ATL_MAX_MICROBATCH));
  Atelier__Candidate *candidates;
  Atelier__Candidate **pointers;
  ATL_TRY(atl_wire_take_scratch(buffer, (size_t)n * (sizeof *candidates + sizeof *pointers), (void **)&candidates));
  pointers = (Atelier__Candidate **)(void *)(candidates + n);
  for (int32_t i = 0; i < n; i++) {
    ATL_TRY(check_candidate(&assignment->candidates[i]));
    candidates[i] = candidate_of(&assignment->candidates[i]);
    pointers[i] = &candidates[i];
  }
  Atelier__Assignment message = ATELIER__ASSIGNMENT__INIT;
  message.n_candidates = (size_t)n;
  message.candidates = pointers;
  return atl_wire_pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_assignment(const char *bytes, size_t n_bytes, atl_arena_t *arena,
                                        atl_assignment_t *assignment) {
  Atelier__Assignment *message;
  atl_candidate_t *candidates;
  ATL_TRY(atl_wire_unpack(&atelier__assignment__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(atl_wire_get_count("assignment.n_candidates", message->n_candidates, ATL_MAX_MICROBATCH,
                             &assignment->n_candidates));
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
  ATL_TRY(atl_wire_check_int("grids.n_grids", n, 0, ATL_MAX_MICROBATCH));
  grid_message_t *messages;
  Atelier__Grid **pointers;
  ATL_TRY(atl_wire_take_scratch(buffer, (size_t)n * (sizeof *messages + sizeof *pointers), (void **)&messages));
  pointers = (Atelier__Grid **)(void *)(messages + n);
  for (int32_t i = 0; i < n; i++) {
    ATL_TRY(check_grid(&grids->grids[i]));
    fill_grid(&grids->grids[i], &messages[i]);
    pointers[i] = &messages[i].grid;
  }
  Atelier__Grids message = ATELIER__GRIDS__INIT;
  message.n_grids = (size_t)n;
  message.grids = pointers;
  return atl_wire_pack(&message.base, buffer);
}

static atl_status_t get_grid(const Atelier__Grid *from, atl_grid_t *grid) {
  ATL_TRY(get_candidate(from->candidate, &grid->candidate));
  ATL_CHECK(from->codes.len % sizeof *grid->codes == 0, INPUT,
            "message field grid.codes: expected 2 bytes per image token, found %zu bytes", from->codes.len);
  ATL_TRY(atl_wire_get_count("grid.n_codes", from->codes.len / sizeof *grid->codes, ATL_MAX_CODES, &grid->n_codes));
  grid->codes = (const uint16_t *)(const void *)from->codes.data; /* arena blocks are aligned */
  grid->has_threshold = from->has_threshold;
  grid->threshold = from->has_threshold ? from->threshold : 0;
  return check_grid(grid);
}

atl_status_t atl_wire_unpack_grids(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_grids_t *grids) {
  Atelier__Grids *message;
  atl_grid_t *made;
  ATL_TRY(atl_wire_unpack(&atelier__grids__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(atl_wire_get_count("grids.n_grids", message->n_grids, ATL_MAX_MICROBATCH, &grids->n_grids));
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
  return atl_wire_pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_record(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_record_t *record) {
  Atelier__Record *message;
  ATL_TRY(atl_wire_unpack(&atelier__record__descriptor, bytes, n_bytes, arena, &message));
  *record = (atl_record_t){.score = message->score, .n_bytes = message->n_bytes, .is_written = message->is_written};
  ATL_TRY(atl_wire_check_number("record.sha256 (length)", strlen(message->sha256), 64, 64));
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
  return atl_wire_pack(&message.report.base, buffer);
}

atl_status_t atl_wire_pack_reports(const atl_reports_t *reports, atl_buffer_t *buffer) {
  int32_t n = reports->n_reports;
  ATL_TRY(atl_wire_check_int("reports.n_reports", n, 0, ATL_MAX_ROLES_PER_RANK));
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
  return atl_wire_pack(&message.base, buffer);
}

static atl_status_t get_role(const Atelier__Role *from, atl_role_t *role) {
  ATL_TRY(atl_wire_check_number("role.kind", from->kind, 0, ATL_N_ROLES - 1));
  *role = (atl_role_t){.kind = (atl_role_kind_t)from->kind};
  ATL_TRY(atl_wire_get_int("role.pipeline", from->pipeline, &role->i_pipeline));
  ATL_TRY(atl_wire_get_int("role.stage", from->stage, &role->i_stage));
  return atl_wire_get_int("role.decoder", from->decoder, &role->i_decoder);
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
  ATL_TRY(atl_wire_get_int("report.rank", message->rank, &report->rank));
  return check_report(report);
}

atl_status_t atl_wire_unpack_report(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_report_t *report) {
  Atelier__Report *message;
  ATL_TRY(atl_wire_unpack(&atelier__report__descriptor, bytes, n_bytes, arena, &message));
  return get_report(message, report);
}

atl_status_t atl_wire_unpack_reports(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_reports_t *reports) {
  Atelier__Reports *message;
  atl_report_t *made;
  ATL_TRY(atl_wire_unpack(&atelier__reports__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(atl_wire_get_count("reports.n_reports", message->n_reports, ATL_MAX_ROLES_PER_RANK, &reports->n_reports));
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
  return atl_wire_pack(&message.base, buffer);
}

atl_status_t atl_wire_unpack_failure(const char *bytes, size_t n_bytes, atl_arena_t *arena, atl_failure_t *failure) {
  Atelier__Failure *message;
  ATL_TRY(atl_wire_unpack(&atelier__failure__descriptor, bytes, n_bytes, arena, &message));
  ATL_TRY(atl_wire_check_number("failure.status", message->status, ATL_OK + 1, ATL_N_STATUSES - 1));
  *failure = (atl_failure_t){.status = (atl_status_t)message->status, .message = message->message};
  return check_failure(failure);
}
