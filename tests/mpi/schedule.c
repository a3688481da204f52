// TEST np=1
/* The coordinator's queue of token grids is bounded: when decoders fall behind, pipelines get no new work; once the
 * decoders have caught up, pipelines get the work they asked for. */
#include "coordinator/job/schedule.h"

#include "common/memory.h"
#include "partition/tags.h"
#include "tests/support/together.h"

enum {
  IMAGE_LENGTH = ATL_MAX_CODES, /* 2 MiB per token grid, so that few reach the bound */
  N_SAMPLES = 100,
  N_DRAWN = 40, /* 80 MiB */
  N_LATE = 5
};

static atl_status_t take_record(void *context, const atl_record_t *record) {
  (void)context;
  (void)record;
  return ATL_OK;
}

static atl_status_t ask(atl_traffic_t *traffic, int tag, int n) {
  atl_buffer_t buffer = {0};
  atl_status_t status = atl_wire_pack_ask(&(atl_ask_t){.role = 0, .n = n}, &buffer);
  if (status == ATL_OK) status = atl_mailbox_send(traffic->results, 0, tag, buffer.bytes, buffer.n);
  atl_buffer_clear(&buffer);
  return status;
}

static atl_status_t draw(atl_traffic_t *traffic, const uint16_t *codes, int32_t sample) {
  atl_buffer_t buffer = {0};
  atl_grid_t grid = {.candidate = {0, sample}, .codes = codes, .n_codes = IMAGE_LENGTH};
  atl_status_t status = atl_wire_pack_grids(&(atl_grids_t){&grid, 1}, &buffer);
  if (status == ATL_OK) status = atl_mailbox_send(traffic->results, 0, ATL_TAG_DRAWN, buffer.bytes, buffer.n);
  atl_buffer_clear(&buffer);
  return status;
}

/* Polls the schedule and counts its messages by tag, until none has come for a while. */
static atl_status_t run(atl_traffic_t *traffic, atl_schedule_t *schedule, int counts[32]) {
  for (int n_idle = 0; n_idle < 2000; n_idle++) {
    bool did_work = false;
    atl_message_t message;
    ATL_TRY(atl_schedule_poll(schedule, &did_work));
    ATL_TRY(atl_mailbox_poll(traffic->control, &message));
    if (message.bytes != NULL) counts[message.tag]++;
    if (did_work || message.bytes != NULL) n_idle = 0;
  }
  return ATL_OK;
}

/* Polls until a message has come or has been refused. */
static atl_status_t poll_until_work(atl_schedule_t *schedule, bool *did_work) {
  *did_work = false;
  for (int i = 0; i < 2000 && !*did_work; i++) ATL_TRY(atl_schedule_poll(schedule, did_work));
  return ATL_OK;
}

static void test(atl_traffic_t *traffic, atl_schedule_t *schedule, const uint16_t *codes) {
  int counts[32] = {0};
  atl_status_t status = ask(traffic, ATL_TAG_ASK_WORK, N_DRAWN);
  if (status == ATL_OK) status = run(traffic, schedule, counts);
  TAP_OK(status == ATL_OK && counts[ATL_TAG_ASSIGN] == N_DRAWN, "a pipeline gets the work it asks for");
  for (int32_t i = 0; i < N_DRAWN && status == ATL_OK; i++) status = draw(traffic, codes, i);
  if (status == ATL_OK) status = run(traffic, schedule, counts);
  if (status == ATL_OK) status = ask(traffic, ATL_TAG_ASK_WORK, N_LATE);
  if (status == ATL_OK) status = run(traffic, schedule, counts);
  TAP_OK(status == ATL_OK && atl_schedule_n_waiting(schedule) == N_DRAWN, "token grids wait for a decoder");
  TAP_OK(counts[ATL_TAG_ASSIGN] == N_DRAWN, "a pipeline gets no work while more than 64 MiB of token grids wait");
  if (status == ATL_OK) status = ask(traffic, ATL_TAG_ASK_GRIDS, N_DRAWN / 2);
  if (status == ATL_OK) status = run(traffic, schedule, counts);
  TAP_OK(status == ATL_OK && atl_schedule_n_waiting(schedule) == N_DRAWN / 2,
         "a decoder takes half of the waiting token grids");
  TAP_OK(counts[ATL_TAG_ASSIGN] == N_DRAWN + N_LATE,
         "once token grids are taken, the pipeline gets the work it asked for");
}

/* Messages that do not belong to the job: each poll fails with INPUT and the schedule stays usable. */
static void test_strangers(atl_traffic_t *traffic, atl_schedule_t *schedule, const uint16_t *codes) {
  bool did_work = false;
  const int32_t head[2] = {0, 0};
  atl_status_t status = atl_mailbox_send(traffic->results, 0, ATL_TAG_LOGITS, (const char *)head, sizeof head);
  if (status == ATL_OK) status = poll_until_work(schedule, &did_work);
  TAP_STATUS(ATL_INPUT, status, "logits that the job did not ask for are refused");
  status = draw(traffic, codes, N_SAMPLES);
  if (status == ATL_OK) status = poll_until_work(schedule, &did_work);
  TAP_STATUS(ATL_INPUT, status, "a token grid of a sample beyond the job's is refused");
  atl_buffer_t buffer = {0};
  atl_record_t record = {.candidate = {1, 0}};
  memset(record.sha256, '0', sizeof record.sha256 - 1);
  status = atl_wire_pack_record(&record, &buffer);
  if (status == ATL_OK) status = atl_mailbox_send(traffic->results, 0, ATL_TAG_RECORD, buffer.bytes, buffer.n);
  if (status == ATL_OK) status = poll_until_work(schedule, &did_work);
  TAP_STATUS(ATL_INPUT, status, "a record of a prompt beyond the job's is refused");
  atl_buffer_clear(&buffer);
}

int main(int argc, char **argv) {
  atl_comm_t *world;
  atl_traffic_t traffic;
  atl_peers_t *peers;
  atl_schedule_t *schedule;
  uint16_t *codes;
  atl_prompt_t prompt = {.id = "1", .text = "a", .n_samples = N_SAMPLES};
  atl_job_t job = {.prompts = &prompt, .n_prompts = 1};
  atl_plan_t plan = {.n_ranks = 1,
                     .n_pipelines = 1,
                     .n_stages = 1,
                     .n_decoders = 1,
                     .microbatch = 1,
                     .n_slots = N_SAMPLES,
                     .first_decoder_rank = -1};
  atl_schedule_events_t events = {.n_results = N_SAMPLES, .take_record = take_record};
  if (atl_comm_start(&argc, &argv, &world) != ATL_OK || atl_traffic_init(world, &traffic) != ATL_OK ||
      atl_peers_new(world, 0, &peers) != ATL_OK || ATL_NEW(IMAGE_LENGTH, &codes) != ATL_OK ||
      atl_schedule_new(&job, &plan, IMAGE_LENGTH, &traffic, &events, peers, &schedule) != ATL_OK)
    return 1;
  test(&traffic, schedule, codes);
  test_strangers(&traffic, schedule, codes);
  atl_schedule_destroy(&schedule);
  atl_peers_destroy(&peers);
  ATL_DESTROY(&codes);
  atl_traffic_clear(&traffic);
  return together_done(&world);
}
