// TEST np=1
/* Damaged control messages. Each input is unpacked as every kind of message, as the kind is not part of the bytes. */
#include "proto/wire.h"

#include "tests/support/mutate.h"

#define TRY_KIND(kind)                                                                                                 \
  do {                                                                                                                 \
    atl_##kind##_t message;                                                                                            \
    if (atl_wire_unpack_##kind(bytes, n, &arena, &message) == ATL_OK) mutate_n_read++;                                 \
    atl_arena_clear(&arena);                                                                                           \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *bytes = (const char *)data;
  atl_arena_t arena = {0};
  TRY_KIND(ask);
  TRY_KIND(assignment);
  TRY_KIND(grids);
  TRY_KIND(record);
  TRY_KIND(report);
  TRY_KIND(reports);
  TRY_KIND(failure);
  TRY_KIND(job);
  return 0;
}

static void add_buffer(mutate_corpus_t *corpus, atl_status_t status, const atl_buffer_t *buffer) {
  if (TAP_STATUS(ATL_OK, status, "a message is packed")) mutate_add_seed(corpus, buffer->bytes, buffer->n);
}

static void add_job(mutate_corpus_t *corpus) {
  const int32_t ids[] = {5, 0, 49407}, codes[] = {0, 8191};
  const atl_prompt_t prompts[] = {{.id = "1",
                                   .text = "a red heart",
                                   .key = 7,
                                   .seed = 9,
                                   .n_samples = 3,
                                   .ids = ids,
                                   .n_ids = 3,
                                   .clip_ids = ids,
                                   .n_clip_ids = 2}};
  const atl_forced_image_t forced[] = {{codes, 2}, {NULL, 0}};
  const atl_job_t job = {.model = "m",
                         .out = "",
                         .sampling = {false, 0.7, 64, 0.95, 0.9, -1.5},
                         .prompts = prompts,
                         .n_prompts = 1,
                         .null_ids = ids,
                         .n_null_ids = 3,
                         .prime = codes,
                         .n_prime = 1,
                         .dtype = ATL_BF16,
                         .kv = ATL_I8,
                         .backend = 3,
                         .is_ranked = true,
                         .forced = forced,
                         .n_forced = 2,
                         .n_keep = 8,
                         .png_level = 6};
  char *bytes;
  size_t n;
  if (!TAP_STATUS(ATL_OK, atl_wire_pack_job(&job, &bytes, &n), "a job is packed")) return;
  mutate_add_seed(corpus, bytes, n);
  ATL_DESTROY(&bytes);
}

static void add_seeds(mutate_corpus_t *corpus) {
  atl_buffer_t buffer = {0};
  const atl_candidate_t candidates[] = {{0, 0}, {0, 1}, {3, 500}};
  const uint16_t codes[] = {1, 2, 3, 8191};
  const atl_grid_t grids[] = {{{0, 1}, codes, 4, true, 0.25f}, {{1, 0}, codes, 2, false, 0}};
  atl_record_t record = {.candidate = {2, 3}, .score = 0.5f, .n_bytes = 1234, .is_written = true};
  memset(record.sha256, 'a', 64);
  const atl_report_t report = {.rank = 1, .role = {.kind = ATL_ROLE_STAGE, .i_stage = 1}, .busy = 1.5, .n_rows = 7};
  add_buffer(corpus, atl_wire_pack_ask(&(atl_ask_t){3, 7}, &buffer), &buffer);
  add_buffer(corpus, atl_wire_pack_assignment(&(atl_assignment_t){candidates, 3}, &buffer), &buffer);
  add_buffer(corpus, atl_wire_pack_grids(&(atl_grids_t){grids, 2}, &buffer), &buffer);
  add_buffer(corpus, atl_wire_pack_record(&record, &buffer), &buffer);
  add_buffer(corpus, atl_wire_pack_report(&report, &buffer), &buffer);
  add_buffer(corpus, atl_wire_pack_reports(&(atl_reports_t){&report, 1}, &buffer), &buffer);
  add_buffer(corpus, atl_wire_pack_failure(&(atl_failure_t){ATL_IO, "the disk is full"}, &buffer), &buffer);
  atl_buffer_clear(&buffer);
  add_job(corpus);
}

/* An empty prompt or forced image is two bytes in the message and 72 in memory, plus its generated type. */
MUTATE_MAIN(add_seeds, 1 << 18, 256)
