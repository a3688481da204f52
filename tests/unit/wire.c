// TEST
/* Messages are packed and unpacked without loss; truncated, damaged and out-of-range ones are refused, without a leak.
 */
#include "proto/wire.h"

#include "common/memory.h"
#include "tests/support/tap.h"

static const int32_t token_ids[] = {5, 0, -1, 49407}, image_tokens[] = {0, 8191, 77};

static const atl_prompt_t prompts[] = {
    {"1", "a red heart", 0xfedcba9876543210u, UINT64_MAX, 512, token_ids, 4, token_ids, 3},
    {"na\xc3\xafve", "", 0, 0, 1, NULL, 0, NULL, 0},
};

static const atl_forced_image_t forced[] = {{image_tokens, 3}, {NULL, 0}};

static atl_job_t make_job(void) {
  return (atl_job_t){.model = "weights/emoji",
                     .out = "",
                     .sampling = {false, 0.7, 64, 0.95, 0.9, -1.5},
                     .prompts = prompts,
                     .n_prompts = 2,
                     .null_ids = token_ids,
                     .n_null_ids = 2,
                     .prime = image_tokens,
                     .n_prime = 1,
                     .dtype = ATL_BF16,
                     .kv = ATL_I8,
                     .backend = 4,
                     .is_ranked = true,
                     .forced = forced,
                     .n_forced = 2,
                     .n_keep = 8,
                     .png_level = 6,
                     .measured_microbatch = 32};
}

static int is_same_ints(const int32_t *a, int32_t n_a, const int32_t *b, int32_t n_b) {
  return n_a == n_b && (n_a == 0 || memcmp(a, b, (size_t)n_a * sizeof *a) == 0);
}

static int is_same_prompt(const atl_prompt_t *a, const atl_prompt_t *b) {
  return strcmp(a->id, b->id) == 0 && strcmp(a->text, b->text) == 0 && a->key == b->key && a->seed == b->seed &&
         a->n_samples == b->n_samples && is_same_ints(a->ids, a->n_ids, b->ids, b->n_ids) &&
         is_same_ints(a->clip_ids, a->n_clip_ids, b->clip_ids, b->n_clip_ids);
}

static int is_same_job(const atl_job_t *a, const atl_job_t *b) {
  int is_same = strcmp(a->model, b->model) == 0 && strcmp(a->out, b->out) == 0 && a->dtype == b->dtype &&
                a->kv == b->kv && a->backend == b->backend && a->trace == b->trace && a->is_ranked == b->is_ranked &&
                a->wants_logits == b->wants_logits && a->n_keep == b->n_keep && a->png_level == b->png_level &&
                a->measured_microbatch == b->measured_microbatch && a->n_prompts == b->n_prompts &&
                a->n_forced == b->n_forced && is_same_ints(a->null_ids, a->n_null_ids, b->null_ids, b->n_null_ids) &&
                is_same_ints(a->prime, a->n_prime, b->prime, b->n_prime);
  const atl_sampling_t *s = &a->sampling, *t = &b->sampling;
  is_same = is_same && s->greedy == t->greedy && s->temperature == t->temperature && s->top_k == t->top_k &&
            s->top_p == t->top_p && s->filter_thres == t->filter_thres && s->guidance == t->guidance;
  for (int i = 0; is_same && i < a->n_prompts; i++) is_same = is_same_prompt(&a->prompts[i], &b->prompts[i]);
  for (int i = 0; is_same && i < a->n_forced; i++)
    is_same = is_same_ints(a->forced[i].codes, a->forced[i].n_codes, b->forced[i].codes, b->forced[i].n_codes);
  return is_same;
}

static void test_job(void) {
  atl_job_t job = make_job(), got;
  atl_arena_t arena = {0};
  char *bytes;
  size_t n_bytes;
  TAP_STATUS(ATL_OK, atl_wire_pack_job(&job, &bytes, &n_bytes), "a job is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_job(bytes, n_bytes, &arena, &got), "a job is unpacked");
  TAP_OK(is_same_job(&job, &got), "every field of a job is unpacked as it was packed");
  int n_accepted = 0;
  for (size_t n = 0; n < n_bytes; n++) {
    atl_arena_clear(&arena);
    n_accepted += atl_wire_unpack_job(bytes, n, &arena, &got) == ATL_OK;
  }
  TAP_OK(n_accepted == 0, "a job truncated at any byte is refused");
  int n_unclear = 0;
  for (size_t i = 0; i < n_bytes * 8; i++) {
    bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
    atl_arena_clear(&arena);
    atl_status_t status = atl_wire_unpack_job(bytes, n_bytes, &arena, &got);
    n_unclear += status != ATL_OK && status != ATL_INPUT;
    bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
  }
  TAP_OK(n_unclear == 0, "a job with any bit flipped is unpacked or refused with INPUT");
  ATL_DESTROY(&bytes);
  atl_arena_clear(&arena);
}

static void test_bad_jobs(void) {
  char *bytes;
  size_t n_bytes;
  atl_job_t job = make_job();
  job.sampling.temperature = 0;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "temperature 0 is refused");
  job.sampling.greedy = true;
  TAP_STATUS(ATL_OK, atl_wire_pack_job(&job, &bytes, &n_bytes), "temperature 0 is accepted when greedy");
  ATL_DESTROY(&bytes);
  job.sampling.guidance = NAN;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "NaN guidance is refused");
  job = make_job();
  job.png_level = 10;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "an impossible png level is refused");
  job = make_job();
  job.model = NULL;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "a missing string is rejected");
  job = make_job();
  job.sampling.filter_thres = 1;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "filter_thres 1, which leaves no token, is refused");
  const atl_dtype_t dtypes[] = {ATL_I8, ATL_F16, ATL_N_DTYPES, (atl_dtype_t)-1};
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    job = make_job();
    job.dtype = dtypes[i];
    TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "a dtype other than F32 and BF16 is refused");
  }
  job = make_job();
  job.kv = ATL_F16;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "an F16 cache is refused");
  job = make_job();
  job.backend = -1;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_job(&job, &bytes, &n_bytes), "a negative kernel backend is refused");
  TAP_OK(bytes == NULL, "a refused job leaves no bytes");
}

static void test_ask(void) {
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_ask_t got;
  TAP_STATUS(ATL_OK, atl_wire_pack_ask(&(atl_ask_t){3, 7}, &buffer), "an ask is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_ask(buffer.bytes, buffer.n, &arena, &got), "an ask is unpacked");
  TAP_OK(got.role == 3 && got.n == 7, "an ask is unpacked as it was packed");
  TAP_STATUS(ATL_INPUT, atl_wire_pack_ask(&(atl_ask_t){-1, 7}, &buffer), "a negative role is refused");
  static const char large[] = "\x08\xff\xff\xff\xff\x0f\x10\x01"; /* role = 2^32 - 1 */
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_ask(large, 8, &arena, &got), "a role beyond int32 is refused");
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_ask(large + 6, 2, &arena, &got), "an ask without its role is refused");
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_ask("", 0, &arena, &got), "an ask of no bytes is refused");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static void test_assignment(void) {
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_candidate_t candidates[32];
  atl_assignment_t assignment = {candidates, 32}, got;
  int is_same = 1;
  for (int i = 0; i < 32; i++) candidates[i] = (atl_candidate_t){i / 5, i * 100};
  TAP_STATUS(ATL_OK, atl_wire_pack_assignment(&assignment, &buffer), "an assignment is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_assignment(buffer.bytes, buffer.n, &arena, &got), "an assignment is unpacked");
  for (int i = 0; i < 32; i++)
    is_same = is_same && got.candidates[i].prompt == i / 5 && got.candidates[i].sample == i * 100;
  TAP_OK(is_same && got.n_candidates == 32, "an assignment is unpacked as it was packed");
  size_t before = atl_memory_in_use_bytes();
  for (int i = 0; i < 32; i++) atl_wire_pack_assignment(&(atl_assignment_t){candidates, i}, &buffer);
  TAP_OK(atl_memory_in_use_bytes() == before, "packing reuses its buffer");
  TAP_STATUS(ATL_OK, atl_wire_pack_assignment(&(atl_assignment_t){0}, &buffer), "an empty assignment is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_assignment(buffer.bytes, buffer.n, &arena, &got),
             "an empty assignment is unpacked");
  TAP_OK(got.n_candidates == 0, "an empty assignment stays empty");
  candidates[1].sample = -3;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_assignment(&assignment, &buffer), "a negative sample is refused");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static void test_grids(void) {
  static const uint16_t codes[] = {0, 1, 255, 256, 65535};
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_grid_t grids[] = {
      {{1, 2}, codes, 5, true, -12.5f}, {{3, 4}, codes + 1, 3, false, 0}, {{0, 0}, NULL, 0, false, 0}};
  atl_grids_t message = {grids, 3}, got;
  int is_same = 1;
  TAP_STATUS(ATL_OK, atl_wire_pack_grids(&message, &buffer), "token grids are packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_grids(buffer.bytes, buffer.n, &arena, &got), "token grids are unpacked");
  for (int i = 0; i < 3; i++) {
    const atl_grid_t *a = &grids[i], *b = &got.grids[i];
    is_same = is_same && a->candidate.prompt == b->candidate.prompt && a->candidate.sample == b->candidate.sample &&
              a->n_codes == b->n_codes && a->has_threshold == b->has_threshold && a->threshold == b->threshold &&
              (a->n_codes == 0 || memcmp(a->codes, b->codes, 2 * (size_t)a->n_codes) == 0);
  }
  TAP_OK(is_same && got.n_grids == 3, "token grids are unpacked as they were packed");
  static const char odd[] = "\x0a\x09\x0a\x04\x08\x01\x10\x02\x12\x01\x41"; /* a grid with one byte of tokens */
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_grids(odd, 11, &arena, &got), "a token grid with half a token is refused");
  grids[0].threshold = NAN;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_grids(&message, &buffer), "a NaN threshold is refused");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static void test_record(void) {
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_record_t got, record = {{7, 511}, 27.25f, "", (uint64_t)1 << 40, true};
  memset(record.sha256, 'a', 64);
  TAP_STATUS(ATL_OK, atl_wire_pack_record(&record, &buffer), "a record is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_record(buffer.bytes, buffer.n, &arena, &got), "a record is unpacked");
  TAP_OK(got.candidate.prompt == 7 && got.candidate.sample == 511 && got.score == 27.25f && got.is_written &&
             got.n_bytes == (uint64_t)1 << 40 && strcmp(got.sha256, record.sha256) == 0,
         "a record is unpacked as it was packed");
  char *at = memchr(buffer.bytes, 'a', buffer.n);
  *at = 'G';
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_record(buffer.bytes, buffer.n, &arena, &got), "a bad digest is refused");
  record.sha256[63] = '\0';
  TAP_STATUS(ATL_INPUT, atl_wire_pack_record(&record, &buffer), "a short digest is refused");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static atl_report_t make_report(void) {
  return (atl_report_t){.rank = 5,
                        .role = {.kind = ATL_ROLE_STAGE, .i_pipeline = 3, .i_stage = 1},
                        .busy = 1.5,
                        .waiting = 2.5,
                        .draw = 0.25,
                        .io = 0.125,
                        .n_rows = 1000,
                        .n_steps = 256,
                        .peak_bytes = 1 << 20,
                        .resident_bytes = 1 << 21,
                        .progress = 0.5,
                        .prefill = 0.75,
                        .backpressure = 0.3,
                        .before = 0.2,
                        .after = 0.1,
                        .last = 9.5,
                        .score = 0.4,
                        .n_prefills = 7};
}

static int is_same_role(const atl_role_t *a, const atl_role_t *b) {
  return a->kind == b->kind && a->i_pipeline == b->i_pipeline && a->i_stage == b->i_stage &&
         a->i_decoder == b->i_decoder;
}

static void test_report(void) {
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_report_t got, report = make_report();
  TAP_STATUS(ATL_OK, atl_wire_pack_report(&report, &buffer), "a report is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_report(buffer.bytes, buffer.n, &arena, &got), "a report is unpacked");
  TAP_OK(got.rank == 5 && is_same_role(&got.role, &report.role) && got.busy == 1.5 && got.waiting == 2.5 &&
             got.draw == 0.25 && got.io == 0.125 && got.n_rows == 1000 && got.n_steps == 256 &&
             got.peak_bytes == 1 << 20 && got.resident_bytes == 1 << 21 && got.progress == 0.5 && got.prefill == 0.75,
         "a report is unpacked as it was packed");
  TAP_OK(got.backpressure == 0.3 && got.before == 0.2 && got.after == 0.1 && got.last == 9.5 && got.score == 0.4 &&
             got.n_prefills == 7,
         "a report's waits are unpacked as they were packed");
  static const char kind[] = "\x08\x05\x12\x08\x08"; /* rank 5, then a role of 8 bytes, which begins with its kind */
  TAP_OK(memcmp(buffer.bytes, kind, 5) == 0 && buffer.bytes[5] == ATL_ROLE_STAGE, "a report begins with rank and role");
  buffer.bytes[5] = ATL_N_ROLES;
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_report(buffer.bytes, buffer.n, &arena, &got), "an unknown role is refused");
  report.role.i_stage = -1;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_report(&report, &buffer), "a negative stage is refused");
  report = make_report();
  report.busy = INFINITY;
  TAP_STATUS(ATL_INPUT, atl_wire_pack_report(&report, &buffer), "a report with infinite seconds is refused");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static void test_reports(void) {
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_report_t reports[ATL_MAX_ROLES_PER_RANK + 1];
  atl_reports_t got;
  for (int i = 0; i <= ATL_MAX_ROLES_PER_RANK; i++) reports[i] = make_report();
  reports[1].role = (atl_role_t){.kind = ATL_ROLE_DECODER, .i_decoder = 70000};
  reports[2].role = (atl_role_t){.kind = ATL_ROLE_COORDINATOR};
  TAP_STATUS(ATL_OK, atl_wire_pack_reports(&(atl_reports_t){reports, 3}, &buffer), "a rank's reports are packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_reports(buffer.bytes, buffer.n, &arena, &got), "a rank's reports are unpacked");
  bool is_same = got.n_reports == 3;
  for (int i = 0; is_same && i < 3; i++) is_same = is_same_role(&got.reports[i].role, &reports[i].role);
  TAP_OK(is_same && got.reports[2].n_rows == 1000, "a rank's reports are unpacked as they were packed");
  TAP_STATUS(ATL_INPUT, atl_wire_pack_reports(&(atl_reports_t){reports, ATL_MAX_ROLES_PER_RANK + 1}, &buffer),
             "more reports than a rank has roles are refused");
  TAP_STATUS(ATL_OK, atl_wire_pack_reports(&(atl_reports_t){0}, &buffer), "no reports are packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_reports(buffer.bytes, buffer.n, &arena, &got), "no reports are unpacked");
  TAP_OK(got.n_reports == 0, "a rank without reports is unpacked as it was packed");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static void test_failure(void) {
  atl_arena_t arena = {0};
  atl_buffer_t buffer = {0};
  atl_failure_t got;
  TAP_STATUS(ATL_OK, atl_wire_pack_failure(&(atl_failure_t){ATL_IO, "the disk is full"}, &buffer),
             "a failure is packed");
  TAP_STATUS(ATL_OK, atl_wire_unpack_failure(buffer.bytes, buffer.n, &arena, &got), "a failure is unpacked");
  TAP_OK(got.status == ATL_IO && strcmp(got.message, "the disk is full") == 0,
         "a failure is unpacked as it was packed");
  TAP_STATUS(ATL_INPUT, atl_wire_pack_failure(&(atl_failure_t){ATL_OK, "fine"}, &buffer),
             "a failure with status OK is refused");
  static const char unknown[] = "\x08\x7f\x12\x01x"; /* status 127 */
  TAP_STATUS(ATL_INPUT, atl_wire_unpack_failure(unknown, 5, &arena, &got), "an unknown status is refused");
  atl_buffer_clear(&buffer);
  atl_arena_clear(&arena);
}

static void test_role_names(void) {
  char text[ATL_ROLE_BYTES];
  const atl_role_t stage = {.kind = ATL_ROLE_STAGE, .i_pipeline = 0, .i_stage = 9}, next = {ATL_ROLE_STAGE, 0, 10, 0},
                   decoder = {.kind = ATL_ROLE_DECODER, .i_decoder = 2}, root = {.kind = ATL_ROLE_COORDINATOR};
  TAP_OK(strcmp(atl_role_describe(&stage, text), "stage 0.9") == 0, "a stage is named by pipeline and stage");
  TAP_OK(strcmp(atl_role_describe(&decoder, text), "decoder 2") == 0, "a decoder is named by its index");
  TAP_OK(strcmp(atl_role_describe(&root, text), "coordinator") == 0, "the coordinator is named without an index");
  TAP_OK(atl_role_compare(&stage, &next) < 0 && atl_role_compare(&next, &stage) > 0 &&
             atl_role_compare(&root, &decoder) < 0 && atl_role_compare(&decoder, &stage) < 0 &&
             atl_role_compare(&stage, &stage) == 0,
         "roles are ordered by kind, then index");
}

/* For every n, the n-th allocation fails: the status is MEMORY, and nothing leaks. */
static void test_memory(void) {
  atl_job_t job = make_job(), got;
  int n_wrong = 0, n = 0;
  for (atl_status_t status = ATL_MEMORY; status == ATL_MEMORY; n++) {
    char *bytes;
    size_t n_bytes;
    atl_arena_t arena = {0};
    atl_memory_fail_after(n + 1);
    status = atl_wire_pack_job(&job, &bytes, &n_bytes);
    if (status == ATL_OK) status = atl_wire_unpack_job(bytes, n_bytes, &arena, &got);
    atl_memory_fail_after(0);
    ATL_DESTROY(&bytes);
    atl_arena_clear(&arena);
    n_wrong += status != ATL_OK && status != ATL_MEMORY;
  }
  TAP_OK(n_wrong == 0 && n > 2, "packing and unpacking a job survive the failure of any allocation");
}

int main(void) {
  test_job();
  test_bad_jobs();
  test_ask();
  test_assignment();
  test_grids();
  test_record();
  test_report();
  test_reports();
  test_failure();
  test_role_names();
  test_memory();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
