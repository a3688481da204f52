/* Token grids that no decoder has asked for yet wait in a ring buffer, 2 I bytes each. At MAX_WAITING_BYTES (64 MiB)
 * pipelines get no new work until decoders have caught up; what is in flight still arrives and is queued. When
 * consumers ask for more grids than wait, n_wanted keeps what they still lack. */
#include "coordinator/job/schedule.h"

#include <string.h>

#include "partition/tags.h"

typedef struct {
  atl_candidate_t candidate;
  uint16_t *codes; /* (I), owned */
} waiting_t;

struct atl_schedule {
  const atl_job_t *job;
  const atl_plan_t *plan;
  int32_t image_length; /* I */
  atl_traffic_t *traffic;
  atl_schedule_events_t events;
  atl_peers_t *peers;
  int32_t next_prompt, next_sample; /* the first candidate that is not assigned */
  waiting_t *waiting;               /* ring buffer */
  int64_t first_waiting, n_waiting, max_waiting;
  int32_t *n_in_flight;        /* (P): candidates assigned and not drawn; -1: the pipeline helps decode */
  int32_t *n_deferred;         /* (P): assignments asked for and not yet made */
  int32_t *n_wanted;           /* (n_consumers): grids a consumer has asked for and not got */
  int32_t n_consumers;         /* decoders of the plan, then every rank as a helper */
  atl_candidate_t *candidates; /* (b): workspace for packing an assignment */
  atl_grid_t *grids;           /* (max_grids): workspace for packing a message */
  int32_t max_grids;
  int64_t n_results;
  bool is_stopped;
  atl_arena_t arena; /* of one message, cleared before the next */
  atl_buffer_t buffer;
};

enum {
  GRIDS_PER_MESSAGE = 64,
  MAX_WAITING_BYTES = 64 << 20,
  GRIDS_WORTH_HELP = 8 /* waiting grids per decoder; loading dVAE and CLIP takes about as long as a few pictures */
};

atl_status_t atl_schedule_new(const atl_job_t *job, const atl_plan_t *plan, int32_t image_length,
                              atl_traffic_t *traffic, const atl_schedule_events_t *events, atl_peers_t *peers,
                              atl_schedule_t **schedule) {
  *schedule = NULL;
  ATL_TRY(ATL_NEW(1, schedule));
  atl_schedule_t *s = *schedule;
  s->job = job;
  s->plan = plan;
  s->image_length = image_length;
  s->traffic = traffic;
  s->events = *events;
  s->peers = peers;
  s->max_grids = GRIDS_PER_MESSAGE;
  s->n_consumers = plan->n_decoders + plan->n_ranks;
  atl_status_t status = ATL_NEW(s->n_consumers, &s->n_wanted);
  if (status == ATL_OK) status = ATL_NEW(plan->n_pipelines, &s->n_in_flight);
  if (status == ATL_OK) status = ATL_NEW(plan->n_pipelines, &s->n_deferred);
  if (status == ATL_OK) status = ATL_NEW(plan->microbatch, &s->candidates);
  if (status == ATL_OK) status = ATL_NEW(s->max_grids, &s->grids);
  if (status != ATL_OK) atl_schedule_destroy(schedule);
  return status;
}

void atl_schedule_destroy(atl_schedule_t **schedule) {
  if (*schedule == NULL) return;
  atl_schedule_t *s = *schedule;
  for (int64_t i = 0; i < s->n_waiting; i++) ATL_DESTROY(&s->waiting[(s->first_waiting + i) % s->max_waiting].codes);
  ATL_DESTROY(&s->waiting);
  ATL_DESTROY(&s->n_wanted);
  ATL_DESTROY(&s->n_in_flight);
  ATL_DESTROY(&s->n_deferred);
  ATL_DESTROY(&s->candidates);
  ATL_DESTROY(&s->grids);
  atl_arena_clear(&s->arena);
  atl_buffer_clear(&s->buffer);
  ATL_DESTROY(schedule);
}

/* True when the queue of waiting grids is full, so that pipelines should get no new work. */
static bool is_backed_up(const atl_schedule_t *s) {
  return s->n_waiting * (int64_t)((size_t)s->image_length * sizeof(uint16_t) + sizeof *s->waiting) >= MAX_WAITING_BYTES;
}

static bool take_candidate(atl_schedule_t *s, atl_candidate_t *candidate) {
  if (s->next_prompt == s->job->n_prompts) return false;
  *candidate = (atl_candidate_t){s->next_prompt, s->next_sample++};
  if (s->next_sample == s->job->prompts[s->next_prompt].n_samples) {
    s->next_prompt++;
    s->next_sample = 0;
  }
  return true;
}

/* Sends a microbatch of candidates, for one free slot, to the pipeline's first stage; nothing if no candidates are
 * left. */
static atl_status_t assign(atl_schedule_t *s, int32_t i_pipeline, int to) {
  atl_assignment_t assignment = {.candidates = s->candidates};
  while (assignment.n_candidates < s->plan->microbatch && take_candidate(s, &s->candidates[assignment.n_candidates]))
    assignment.n_candidates++;
  if (assignment.n_candidates == 0) return ATL_OK;
  s->n_in_flight[i_pipeline] += assignment.n_candidates;
  ATL_TRY(atl_wire_pack_assignment(&assignment, &s->buffer));
  return atl_mailbox_send(s->traffic->control, to, ATL_TAG_ASSIGN, s->buffer.bytes, s->buffer.n);
}

static atl_status_t grow_waiting(atl_schedule_t *s) {
  int64_t max = s->max_waiting ? 2 * s->max_waiting : 256;
  waiting_t *grown;
  ATL_TRY(ATL_NEW(max, &grown));
  for (int64_t i = 0; i < s->n_waiting; i++) grown[i] = s->waiting[(s->first_waiting + i) % s->max_waiting];
  ATL_DESTROY(&s->waiting);
  s->waiting = grown;
  s->first_waiting = 0;
  s->max_waiting = max;
  return ATL_OK;
}

static atl_status_t push_grid(atl_schedule_t *s, const atl_grid_t *grid) {
  if (s->n_waiting == s->max_waiting) ATL_TRY(grow_waiting(s));
  waiting_t *waiting = &s->waiting[(s->first_waiting + s->n_waiting) % s->max_waiting];
  ATL_TRY(ATL_NEW(grid->n_codes, &waiting->codes));
  memcpy(waiting->codes, grid->codes, (size_t)grid->n_codes * sizeof *grid->codes);
  waiting->candidate = grid->candidate;
  s->n_waiting++;
  return ATL_OK;
}

/* Sends the first n waiting grids to consumer d. */
static atl_status_t send_grids(atl_schedule_t *s, int32_t d, int32_t n) {
  int rank = d < s->plan->n_decoders ? atl_plan_decoder_rank(s->plan, d) : d - s->plan->n_decoders;
  for (int32_t i = 0; i < n; i++) {
    const waiting_t *waiting = &s->waiting[(s->first_waiting + i) % s->max_waiting];
    atl_grid_t *grid = &s->grids[i];
    *grid = (atl_grid_t){.candidate = waiting->candidate, .codes = waiting->codes, .n_codes = s->image_length};
    if (s->events.find_threshold != NULL)
      grid->has_threshold = s->events.find_threshold(s->events.context, waiting->candidate.prompt, &grid->threshold);
  }
  ATL_TRY(atl_wire_pack_grids(&(atl_grids_t){s->grids, n}, &s->buffer));
  ATL_TRY(atl_mailbox_send(s->traffic->control, rank, ATL_TAG_GRIDS, s->buffer.bytes, s->buffer.n));
  for (int32_t i = 0; i < n; i++) {
    ATL_DESTROY(&s->waiting[s->first_waiting].codes);
    s->first_waiting = (s->first_waiting + 1) % s->max_waiting;
    s->n_waiting--;
  }
  s->n_wanted[d] -= n;
  return ATL_OK;
}

/* Deals waiting grids to the consumers that want some, an equal share each, so that a short queue keeps all of them
 * busy. */
static atl_status_t deal_grids(atl_schedule_t *s) {
  int32_t n_waiting_consumers = 0;
  for (int32_t d = 0; d < s->n_consumers; d++) n_waiting_consumers += s->n_wanted[d] > 0;
  for (int32_t d = 0; d < s->n_consumers && s->n_waiting > 0; d++) {
    if (s->n_wanted[d] == 0) continue;
    int64_t n = (s->n_waiting + n_waiting_consumers - 1) / n_waiting_consumers;
    if (n > s->n_wanted[d]) n = s->n_wanted[d];
    if (n > s->max_grids) n = s->max_grids;
    ATL_TRY(send_grids(s, d, (int32_t)n));
    n_waiting_consumers--;
  }
  return ATL_OK;
}

int64_t atl_schedule_n_waiting(const atl_schedule_t *s) { return s->n_waiting; }

bool atl_schedule_is_complete(const atl_schedule_t *s) { return s->n_results == s->events.n_results; }

atl_status_t atl_schedule_stop(atl_schedule_t *s) {
  if (s->is_stopped) return ATL_OK;
  s->is_stopped = true;
  for (int32_t rank = 0; rank < s->plan->n_ranks; rank++)
    ATL_TRY(atl_mailbox_send(s->traffic->control, rank, ATL_TAG_STOP, NULL, 0));
  return ATL_OK;
}

static atl_status_t count_result(atl_schedule_t *s) {
  s->n_results++;
  return atl_schedule_is_complete(s) ? atl_schedule_stop(s) : ATL_OK;
}

/* When all candidates are assigned and enough grids wait to pay for loading the networks, tells the ranks of pipelines
 * that have drawn everything to help decode. */
static atl_status_t call_helpers(atl_schedule_t *s) {
  bool is_all_assigned = s->next_prompt == s->job->n_prompts;
  if (!is_all_assigned || s->n_waiting < GRIDS_WORTH_HELP * s->plan->n_decoders) return ATL_OK;
  for (int32_t p = 0; p < s->plan->n_pipelines; p++) {
    if (s->n_in_flight[p] != 0) continue;
    s->n_in_flight[p] = -1;
    for (int32_t i = 0; i < s->plan->n_stages; i++)
      ATL_TRY(atl_mailbox_send(s->traffic->control, atl_plan_stage_rank(s->plan, p, i), ATL_TAG_HELP, NULL, 0));
  }
  return ATL_OK;
}

static atl_status_t check_candidate(const atl_schedule_t *s, const atl_candidate_t *candidate) {
  ATL_CHECK(candidate->prompt < s->job->n_prompts, INPUT, "received a result of prompt %d; the job has %d prompts",
            candidate->prompt, s->job->n_prompts);
  int32_t n_samples = s->job->prompts[candidate->prompt].n_samples;
  ATL_CHECK(candidate->sample < n_samples, INPUT, "received a result of sample %d of prompt %d, which has %d samples",
            candidate->sample, candidate->prompt, n_samples);
  return ATL_OK;
}

static atl_status_t accept_grids(atl_schedule_t *s, const atl_message_t *message) {
  atl_grids_t grids;
  int32_t i_pipeline;
  ATL_TRY(atl_wire_unpack_grids(message->bytes, message->n_bytes, &s->arena, &grids));
  ATL_CHECK(atl_plan_find_stage(s->plan, message->source, &i_pipeline) >= 0, INPUT,
            "received token grids from rank %d, which has no stage", message->source);
  s->n_in_flight[i_pipeline] -= grids.n_grids;
  for (int32_t i = 0; i < grids.n_grids; i++) {
    const atl_grid_t *grid = &grids.grids[i];
    ATL_TRY(check_candidate(s, &grid->candidate));
    ATL_CHECK(grid->n_codes == s->image_length, INPUT, "received a grid of %d tokens; this model's have %d",
              grid->n_codes, s->image_length);
    if (s->events.take_grid != NULL) ATL_TRY(s->events.take_grid(s->events.context, grid));
    if (s->events.take_record != NULL)
      ATL_TRY(push_grid(s, grid));
    else
      ATL_TRY(count_result(s));
  }
  return call_helpers(s);
}

static atl_status_t accept_record(atl_schedule_t *s, const atl_message_t *message) {
  atl_record_t record;
  ATL_TRY(atl_wire_unpack_record(message->bytes, message->n_bytes, &s->arena, &record));
  ATL_CHECK(s->events.take_record != NULL, INPUT, "received a record from rank %d; this job makes no pictures",
            message->source);
  ATL_TRY(check_candidate(s, &record.candidate));
  ATL_TRY(s->events.take_record(s->events.context, &record));
  return count_result(s);
}

static atl_status_t accept_logits(atl_schedule_t *s, const atl_message_t *message) {
  int32_t head[2];
  ATL_CHECK(s->events.take_logits != NULL, INPUT, "received logits from rank %d; this job asks for none",
            message->source);
  ATL_CHECK(message->n_bytes >= sizeof head, INPUT, "a message of logits has only %zu bytes", message->n_bytes);
  memcpy(head, message->bytes, sizeof head);
  const float *logits = (const float *)(const void *)(message->bytes + sizeof head);
  ATL_TRY(s->events.take_logits(s->events.context, head[0], head[1], logits,
                                (message->n_bytes - sizeof head) / sizeof *logits));
  return count_result(s);
}

static atl_status_t accept_report(atl_schedule_t *s, const atl_message_t *message) {
  atl_report_t report;
  ATL_TRY(atl_wire_unpack_report(message->bytes, message->n_bytes, &s->arena, &report));
  if (s->events.take_report != NULL) s->events.take_report(s->events.context, &report);
  return ATL_OK;
}

static atl_status_t accept_ask_for_grids(atl_schedule_t *s, const atl_message_t *message) {
  atl_ask_t ask;
  ATL_TRY(atl_wire_unpack_ask(message->bytes, message->n_bytes, &s->arena, &ask));
  ATL_CHECK(ask.role < s->n_consumers, INPUT,
            "consumer %d asks for token grids; the plan has %d decoders and %d helpers", ask.role, s->plan->n_decoders,
            s->plan->n_ranks);
  s->n_wanted[ask.role] += ask.n;
  return ATL_OK;
}

/* Takes one assignment per pipeline at a time, so that no pipeline waits until the slots of another are full. */
static atl_status_t assign_deferred(atl_schedule_t *s) {
  for (bool has_more = true; has_more;) {
    has_more = false;
    for (int32_t p = 0; p < s->plan->n_pipelines; p++) {
      if (s->n_deferred[p] == 0 || is_backed_up(s)) continue;
      s->n_deferred[p]--;
      ATL_TRY(assign(s, p, atl_plan_stage_rank(s->plan, p, 0)));
      has_more = true;
    }
  }
  return ATL_OK;
}

static atl_status_t accept_ask_for_work(atl_schedule_t *s, const atl_message_t *message) {
  atl_ask_t ask;
  ATL_TRY(atl_wire_unpack_ask(message->bytes, message->n_bytes, &s->arena, &ask));
  ATL_CHECK(ask.role < s->plan->n_pipelines, INPUT, "pipeline %d asks for work; the plan has %d pipelines", ask.role,
            s->plan->n_pipelines);
  s->n_deferred[ask.role] += ask.n;
  return assign_deferred(s);
}

/* Fails with the other rank's failure. */
static atl_status_t accept_failure(atl_schedule_t *s, const atl_message_t *message) {
  atl_failure_t failure;
  ATL_TRY(atl_wire_unpack_failure(message->bytes, message->n_bytes, &s->arena, &failure));
  return atl_status_fail(failure.status, __FILE__, __LINE__, __func__, "rank %d: %s", message->source, failure.message);
}

static atl_status_t dispatch(atl_schedule_t *s, const atl_message_t *message) {
  atl_arena_clear(&s->arena);
  switch (message->tag) {
  case ATL_TAG_ASK_WORK: return accept_ask_for_work(s, message);
  case ATL_TAG_ASK_GRIDS: return accept_ask_for_grids(s, message);
  case ATL_TAG_DRAWN: return accept_grids(s, message);
  case ATL_TAG_RECORD: return accept_record(s, message);
  case ATL_TAG_LOGITS: return accept_logits(s, message);
  case ATL_TAG_REPORT: return accept_report(s, message);
  case ATL_TAG_FAILED: return accept_failure(s, message);
  default:
    return ATL_FAIL(INTERNAL, "received tag %d from rank %d, which is not for the coordinator", message->tag,
                    message->source);
  }
}

atl_status_t atl_schedule_poll(atl_schedule_t *s, bool *did_work) {
  atl_message_t message;
  while (!s->is_stopped) {
    ATL_TRY(atl_mailbox_poll(s->traffic->results, &message));
    if (message.bytes == NULL) break;
    *did_work = true;
    if (message.source != 0) atl_peers_hear(s->peers, message.source);
    ATL_TRY(dispatch(s, &message));
  }
  ATL_TRY(deal_grids(s));
  return s->is_stopped ? ATL_OK : assign_deferred(s);
}
