#include "coordinator/job/launch.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/resident.h"
#include "common/stop.h"
#include "common/timer.h"
#include "coordinator/plan/measuring.h"
#include "coordinator/runfolder/tracefile.h"
#include "partition/tags.h"

typedef struct {
  const atl_roles_t *roles;
  const atl_task_t *task;
  atl_comm_t *world;
  atl_place_t place;
  atl_traffic_t traffic;
  atl_arena_t arena;
  atl_job_t job;
  atl_plan_t plan;
  atl_model_t *model;
  atl_worker_t *worker;
  atl_schedule_t *schedule; /* rank 0 */
  atl_trace_t *trace;       /* NULL: not asked for */
  atl_clock_t clock;        /* when the loop began */
  bool is_root;
  bool is_stopping; /* rank 0 was asked to, and has said so */
  double started, loaded;
} launch_t;

/* Rank 0's job as bytes on every rank. */
static atl_status_t share_job(launch_t *l, char **bytes, size_t *n_bytes) {
  atl_status_t status = ATL_OK;
  if (l->is_root) {
    status = l->task->prepare(l->task->context, atl_comm_size(l->world), &l->place, &l->job);
    if (status == ATL_OK) status = atl_wire_pack_job(&l->job, bytes, n_bytes);
  }
  ATL_TRY(atl_comm_agree(l->world, status));
  return atl_comm_broadcast(l->world, 0, bytes, n_bytes);
}

/* What the wire cannot know: the job's numbers against the model's. */
static atl_status_t check_job(const launch_t *l) {
  const atl_transformer_config_t *config = &l->model->transformer_config;
  const atl_job_t *job = &l->job;
  ATL_CHECK(l->model->has_transformer, INPUT, "%s has no transformer; convert a DALLE checkpoint", job->model);
  for (int32_t i = 0; i < job->n_prompts; i++) {
    const atl_prompt_t *prompt = &job->prompts[i];
    ATL_CHECK(prompt->n_ids == config->text_length, INPUT, "prompt %s has %d ids, the model takes %d", prompt->id,
              prompt->n_ids, config->text_length);
    ATL_CHECK(!job->is_ranked || prompt->n_clip_ids == l->model->clip_config.context_length, INPUT,
              "prompt %s has %d ids for CLIP, which takes %d", prompt->id, prompt->n_clip_ids,
              l->model->clip_config.context_length);
  }
  ATL_CHECK(job->n_null_ids == 0 || job->n_null_ids == config->text_length, INPUT,
            "the null text has %d ids, the model takes %d", job->n_null_ids, config->text_length);
  ATL_CHECK(job->n_prime < atl_config_image_length(config), INPUT, "%d primed codes leave nothing to draw of %d",
            job->n_prime, atl_config_image_length(config));
  return ATL_OK;
}

static atl_status_t open_job(launch_t *l, const char *bytes, size_t n_bytes) {
  ATL_TRY(atl_wire_unpack_job(bytes, n_bytes, &l->arena, &l->job));
  ATL_TRY(atl_model_open(l->job.model, &l->model));
  return check_job(l);
}

/* The plan as JSON, in the arena. */
static atl_status_t print_plan(launch_t *l, const atl_calibration_t *measured, char **text, size_t *n_bytes) {
  atl_plan_t plan;
  json_t *object;
  ATL_TRY(l->task->make_plan(l->task->context, measured, &plan));
  ATL_TRY(atl_plan_to_json(&plan, &object));
  char *dump = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  ATL_CHECK(dump != NULL, MEMORY, "no memory for the plan's text");
  atl_status_t status = atl_arena_printf(&l->arena, text, "%s", dump);
  *n_bytes = strlen(dump);
  free(dump);
  return status;
}

static atl_status_t read_plan(launch_t *l, const char *text, size_t n_bytes) {
  json_t *object;
  ATL_TRY(atl_json_parse(text, n_bytes, "the plan", &object));
  atl_status_t status = atl_plan_from_json(object, "the plan", NULL, &l->plan);
  json_decref(object);
  ATL_TRY(status);
  ATL_CHECK(l->plan.n_ranks == atl_comm_size(l->world), INPUT, "the plan is for %d ranks, there are %d",
            l->plan.n_ranks, atl_comm_size(l->world));
  return ATL_OK;
}

/* Rank 0's plan on every rank. */
static atl_status_t share_plan(launch_t *l) {
  atl_calibration_t calibration, *measured = NULL;
  atl_calibration_spec_t spec;
  char *text = NULL;
  size_t n_bytes = 0;
  if (l->job.measured_microbatch > 0) {
    ATL_TRY(atl_comm_agree(l->world, atl_measuring_spec(&l->job, &spec)));
    ATL_TRY(atl_measuring_run(l->world, &l->place, l->model, &spec, &calibration));
    measured = &calibration;
  }
  ATL_TRY(atl_comm_agree(l->world, l->is_root ? print_plan(l, measured, &text, &n_bytes) : ATL_OK));
  ATL_TRY(atl_comm_broadcast(l->world, 0, &text, &n_bytes));
  atl_status_t status = read_plan(l, text, n_bytes);
  if (!l->is_root) ATL_DESTROY(&text);
  return atl_comm_agree(l->world, status);
}

static atl_status_t load(launch_t *l) {
  if (l->job.trace != NULL) ATL_TRY(atl_trace_new(atl_tracefile_capacity(l->plan.n_ranks), &l->trace));
  l->traffic.trace = l->trace;
  return l->roles->new (&l->job, &l->plan, l->model, &l->traffic, &l->worker);
}

static atl_status_t begin(launch_t *l) {
  if (!l->is_root) return ATL_OK;
  atl_schedule_events_t events = {0};
  ATL_TRY(l->task->begin(l->task->context, &l->job, &l->plan, l->model, &events));
  return atl_schedule_new(&l->job, &l->plan, atl_config_image_length(&l->model->transformer_config), &l->traffic,
                          &events, &l->schedule);
}

/* Waiting costs no core, as ranks may share them: a few empty looks, then yields, then naps that grow to 200 us. */
static void rest(int n_idle) {
  if (n_idle < 50) return;
  if (n_idle < 200) {
    sched_yield();
    return;
  }
  long nap = (n_idle - 199) * 2000L;
  nanosleep(&(struct timespec){0, nap < 200000 ? nap : 200000}, NULL);
}

static void trace_coordinator(launch_t *l, double start, double end) {
  atl_trace_event_t event = {.kind = ATL_TRACE_COORDINATE,
                             .role = ATL_TRACE_COORDINATOR,
                             .start = start,
                             .end = end,
                             .slot = -1,
                             .position = -1,
                             .packet = -1,
                             .cause = -1};
  atl_trace_add(l->trace, &event);
  event.kind = ATL_TRACE_QUEUE;
  event.start = end;
  event.n = (int32_t)atl_schedule_n_waiting(l->schedule);
  atl_trace_add(l->trace, &event);
}

static void abandon(const launch_t *l, const char *state, const char *reason) {
  if (l->task->abandon != NULL) l->task->abandon(l->task->context, state, reason);
}

/* mpirun sends the signal too when a rank has died, and leaves a second before it kills: what there is to say comes
 * first. */
static atl_status_t stop(launch_t *l) {
  l->is_stopping = true;
  abandon(l, "stopped", "a signal");
  return atl_schedule_stop(l->schedule);
}

static atl_status_t coordinate(launch_t *l, bool *did_work) {
  double start = atl_timer_now();
  ATL_TRY(atl_schedule_poll(l->schedule, did_work));
  if (atl_stop_is_requested() && !l->is_stopping) ATL_TRY(stop(l));
  if (l->task->tick != NULL) l->task->tick(l->task->context);
  if (!*did_work) return ATL_OK;
  double end = atl_timer_now();
  l->traffic.coordinating += end - start;
  if (l->trace != NULL) trace_coordinator(l, start, end);
  return ATL_OK;
}

static atl_status_t loop(launch_t *l) {
  int n_idle = 0;
  while (!l->roles->is_stopped(l->worker)) {
    bool did_work = false;
    if (l->is_root) {
      ATL_TRY(coordinate(l, &did_work));
    } else {
      atl_mailbox_is_idle(l->traffic.results); /* moves its sends on: nobody polls it here */
    }
    ATL_TRY(l->roles->poll(l->worker, &did_work));
    n_idle = did_work ? 0 : n_idle + 1;
    rest(n_idle);
  }
  return ATL_OK;
}

/* A stop, or the last reports, may leave messages under way that nobody waits for: they are received and dropped, so
 * that every send completes and MPI can end. */
static atl_status_t drain(launch_t *l) {
  for (bool is_settled = false; !is_settled;) {
    bool is_idle;
    atl_letter_t letter;
    ATL_TRY(l->roles->drain(l->worker, &is_idle));
    ATL_TRY(atl_mailbox_poll(l->traffic.results, &letter));
    is_idle = atl_mailbox_is_idle(l->traffic.results) && letter.bytes == NULL && is_idle;
    ATL_TRY(atl_comm_settle(l->world, is_idle, &is_settled));
  }
  return ATL_OK;
}

enum { MAX_ROLES = 3 }; /* of a rank: stage, decoder, coordinator */

static int get_reports(const launch_t *l, atl_report_t reports[MAX_ROLES]) {
  int n = l->roles->get_reports(l->worker, reports);
  if (l->is_root)
    reports[n++] = (atl_report_t){.role = "coordinator",
                                  .busy = l->traffic.coordinating,
                                  .peak_bytes = atl_memory_peak_bytes(),
                                  .resident_bytes = atl_resident_peak_bytes()};
  return n;
}

/* Packed reports of this rank's roles, each preceded by its size. */
static atl_status_t pack_reports(launch_t *l, atl_buffer_t *all) {
  atl_report_t reports[MAX_ROLES];
  atl_buffer_t one = {0};
  int n = get_reports(l, reports);
  atl_status_t status = ATL_OK;
  for (int i = 0; i < n && status == ATL_OK; i++) {
    uint32_t n_bytes;
    status = atl_wire_pack_report(&reports[i], &one);
    if (status == ATL_OK) status = ATL_RESIZE(all->n + one.n + sizeof n_bytes, &all->bytes);
    if (status != ATL_OK) break;
    n_bytes = (uint32_t)one.n;
    memcpy(all->bytes + all->n, &n_bytes, sizeof n_bytes);
    memcpy(all->bytes + all->n + sizeof n_bytes, one.bytes, one.n);
    all->n += one.n + sizeof n_bytes;
  }
  atl_buffer_clear(&one);
  return status;
}

static atl_status_t unpack_reports(launch_t *l, const char *bytes, size_t n_bytes, atl_report_t *reports, int *n) {
  int max = *n;
  *n = 0;
  for (size_t at = 0; at < n_bytes;) {
    uint32_t size;
    ATL_CHECK(*n < max && n_bytes - at >= sizeof size, INTERNAL, "the roles' reports are torn");
    memcpy(&size, bytes + at, sizeof size);
    at += sizeof size;
    ATL_CHECK(size <= n_bytes - at, INTERNAL, "the roles' reports are torn");
    ATL_TRY(atl_wire_unpack_report(bytes + at, size, &l->arena, &reports[(*n)++]));
    at += size;
  }
  return ATL_OK;
}

static atl_status_t summarise(launch_t *l, double seconds, const char *bytes, size_t n_bytes) {
  int n = 2 * l->plan.n_ranks + 1;
  atl_report_t *reports;
  ATL_TRY(ATL_TAKE(&l->arena, n, &reports));
  ATL_TRY(unpack_reports(l, bytes, n_bytes, reports, &n));
  atl_run_summary_t summary = {
      .seconds = seconds,
      .is_stopped = !atl_schedule_is_complete(l->schedule),
      .setup_seconds = l->loaded - l->started,
      .n_drawn = atl_config_image_length(&l->model->transformer_config) - l->job.n_prime,
      .n_cores = l->place.n_cores,
      .is_sharing_cores = l->place.is_sharing_cores,
      .plan = &l->plan,
      .reports = reports,
      .n_reports = n,
  };
  for (int32_t i = 0; i < l->job.n_prompts; i++) summary.n_images += l->job.prompts[i].n_samples;
  return l->task->finish(l->task->context, &summary);
}

static atl_status_t save_trace(launch_t *l) {
  atl_clock_t now;
  if (l->trace == NULL) return ATL_OK;
  ATL_TRY(atl_clock_measure(l->world, false, &now));
  return atl_tracefile_save(l->world, &l->plan, l->trace, &l->clock, &now, l->job.trace);
}

static atl_status_t finish(launch_t *l) {
  double seconds = atl_timer_now() - l->loaded;
  atl_buffer_t mine = {0};
  char *all = NULL;
  size_t *offsets = NULL;
  atl_status_t status = atl_comm_agree(l->world, pack_reports(l, &mine));
  if (status == ATL_OK) status = atl_comm_gather(l->world, 0, mine.bytes, mine.n, &all, &offsets);
  if (status == ATL_OK && l->is_root) status = summarise(l, seconds, all, offsets[l->plan.n_ranks]);
  atl_buffer_clear(&mine);
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  return atl_comm_agree(l->world, status);
}

/* Ranks that share a core compute in turns: right, but no measure of speed. */
static atl_status_t find_place(launch_t *l) {
  ATL_TRY(atl_place_find(l->world, &l->place));
  ATL_LOG(DEBUG, "%s", l->place.text);
  if (l->task->wants_hops) ATL_TRY(atl_place_measure_hops(l->world, &l->place));
  if (l->place.is_sharing_cores)
    ATL_LOG_ROOT(DEBUG, "ranks share cores: the results are the same, the timings mean little");
  return ATL_OK;
}

enum { PATIENCE = 10 }; /* seconds a failed rank gives rank 0, which may be computing, to end the job */

/* Rank 0 ends the job when it has read the letter; a rank that comes back from here has waited in vain. */
static void tell_root(launch_t *l, atl_status_t failure, const char *message) {
  int32_t code = (int32_t)failure;
  char letter[sizeof code + ATL_MESSAGE_BYTES];
  memcpy(letter, &code, sizeof code);
  snprintf(letter + sizeof code, ATL_MESSAGE_BYTES, "%s", message);
  if (atl_mailbox_send(l->traffic.results, l->plan.coordinator_rank, ATL_TAG_FAILED, letter,
                       sizeof code + strlen(letter + sizeof code) + 1) != ATL_OK)
    return;
  for (double end = atl_timer_now() + PATIENCE; atl_timer_now() < end;) {
    atl_mailbox_is_idle(l->traffic.results); /* moves the letter on */
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
}

/* Rank 0 says why, in its log and in the run's folder; the failed rank adds where, and says all when nobody else does.
 */
_Noreturn static void end_job(launch_t *l, atl_status_t failure) {
  char message[ATL_MESSAGE_BYTES];
  snprintf(message, sizeof message, "%s", atl_status_message());
  if (!l->is_root) {
    ATL_LOG(ERROR, "%s:\n%s", atl_status_sentence(failure), atl_status_trace());
    tell_root(l, failure, message);
  }
  ATL_LOG(ERROR, "%s\n%s", message, l->is_root ? atl_status_trace() : "");
  if (l->is_root) abandon(l, "failed", message);
  atl_comm_abort(l->world, atl_status_exit_code(failure));
}

static atl_status_t run(launch_t *l) {
  char *bytes = NULL;
  size_t n_bytes = 0;
  ATL_TRY(find_place(l));
  atl_status_t status = share_job(l, &bytes, &n_bytes);
  if (status == ATL_OK) status = atl_comm_agree(l->world, open_job(l, bytes, n_bytes));
  ATL_DESTROY(&bytes);
  ATL_TRY(status);
  ATL_TRY(share_plan(l));
  ATL_TRY(atl_comm_agree(l->world, load(l)));
  atl_stop_watch(); /* before there is an output folder, which says how the run ended */
  ATL_TRY(atl_comm_agree(l->world, begin(l)));
  if (l->trace != NULL) ATL_TRY(atl_clock_measure(l->world, false, &l->clock));
  l->loaded = atl_timer_now();
  status = loop(l);
  if (status == ATL_OK) status = drain(l);
  if (status != ATL_OK) end_job(l, status);
  status = finish(l);
  if (l->is_root && status != ATL_OK && status != ATL_STOPPED) abandon(l, "failed", atl_status_message());
  atl_status_t traced = save_trace(l); /* also of a run that was stopped */
  return status != ATL_OK ? status : traced;
}

static void clear(launch_t *l) {
  l->roles->destroy(&l->worker);
  atl_schedule_destroy(&l->schedule);
  atl_trace_destroy(&l->trace);
  atl_model_destroy(&l->model);
  atl_arena_clear(&l->arena);
  atl_traffic_clear(&l->traffic);
  atl_comm_stop(&l->world);
}

atl_status_t atl_launch_run(int argc, char **argv, const atl_roles_t *roles, const atl_task_t *task) {
  launch_t l = {.roles = roles, .task = task, .started = atl_timer_now()};
  ATL_TRY(atl_comm_start(&argc, &argv, &l.world));
  l.is_root = atl_comm_rank(l.world) == 0;
  atl_log_set_speaker(atl_comm_rank(l.world), NULL);
  atl_status_t status = atl_traffic_init(l.world, &l.traffic);
  if (status == ATL_OK) status = run(&l);
  clear(&l);
  return status;
}
