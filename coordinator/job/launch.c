#include "coordinator/job/launch.h"

#include "common/log.h"
#include "common/stop.h"
#include "common/timer.h"
#include "coordinator/job/launch_private.h"
#include "coordinator/runfolder/tracefile.h"

static atl_status_t find_host(atl_launch_t *l) {
  ATL_TRY(atl_place_find(l->world, &l->host));
  ATL_LOG(DEBUG, "%s", l->host.text);
  if (l->task->wants_hops) ATL_TRY(atl_place_measure_hops(l->world, &l->host));
  if (l->host.is_sharing_cores)
    ATL_LOG_ROOT(DEBUG, "ranks share cores: results are the same, but the timings mean little");
  return ATL_OK;
}

/* From now on the log lines of a rank name its role; a stage rather than a decoder. */
static void name_speaker(const atl_launch_t *l) {
  int rank = atl_comm_rank(l->world);
  atl_role_t role = {.kind = ATL_ROLE_COORDINATOR};
  char text[ATL_ROLE_BYTES];
  role.i_stage = atl_plan_find_stage(&l->plan, rank, &role.i_pipeline);
  role.i_decoder = atl_plan_find_decoder(&l->plan, rank);
  if (role.i_decoder >= 0) role.kind = ATL_ROLE_DECODER;
  if (role.i_stage >= 0) role.kind = ATL_ROLE_STAGE;
  bool has_role = l->is_root || role.kind != ATL_ROLE_COORDINATOR;
  atl_log_set_speaker(rank, has_role ? atl_role_describe(&role, text) : NULL);
}

static atl_status_t load_worker(atl_launch_t *l) {
  double start = atl_timer_now();
  name_speaker(l);
  if (l->job.trace != NULL) ATL_TRY(atl_trace_new(atl_tracefile_capacity(l->plan.n_ranks), &l->trace));
  ATL_TRY(l->worker_ops->new (&l->job, &l->plan, l->model, &l->traffic, l->trace, &l->worker));
  ATL_LOG(DEBUG, "loaded in %.2f s", atl_timer_now() - start);
  return ATL_OK;
}

static atl_status_t begin_output(atl_launch_t *l) {
  if (!l->is_root) return ATL_OK;
  atl_schedule_events_t events = {0};
  ATL_TRY(l->task->begin(l->task->context, &l->job, &l->plan, l->model, &events));
  return atl_schedule_new(&l->job, &l->plan, atl_config_image_length(&l->model->transformer_config), &l->traffic,
                          &events, l->peers, &l->schedule);
}

static atl_status_t save_trace(atl_launch_t *l) {
  atl_clock_t now;
  if (l->trace == NULL) return ATL_OK;
  ATL_TRY(atl_clock_measure(l->world, false, &now));
  return atl_tracefile_save(l->world, &l->plan, l->trace, &l->clock, &now, l->job.trace);
}

static atl_status_t run_phases(atl_launch_t *l) {
  char *bytes = NULL;
  size_t n_bytes = 0;
  ATL_TRY(find_host(l));
  atl_status_t status = atl_launch_share_job(l, &bytes, &n_bytes);
  if (status == ATL_OK) status = atl_launch_meet(l, "open the model", atl_launch_open_job(l, bytes, n_bytes));
  ATL_DESTROY(&bytes);
  ATL_TRY(status);
  ATL_TRY(atl_launch_compare(l));
  ATL_TRY(atl_comm_agree(l->world, atl_launch_check_job(l)));
  ATL_TRY(atl_launch_share_plan(l));
  ATL_TRY(atl_launch_meet(l, "load its part of the model", load_worker(l)));
  atl_stop_watch(); /* before the output folder exists, which must say how the run ended */
  status = atl_comm_agree(l->world, begin_output(l));
  if (l->is_root && status != ATL_OK) atl_launch_abandon(l, "failed", atl_status_message());
  ATL_TRY(status);
  if (l->trace != NULL) ATL_TRY(atl_clock_measure(l->world, false, &l->clock));
  l->loaded = atl_timer_now();
  status = atl_launch_loop(l);
  if (status == ATL_OK) status = atl_launch_drain(l);
  if (status != ATL_OK) atl_launch_end_job(l, status);
  status = atl_launch_finish(l);
  if (l->is_root && status != ATL_OK && status != ATL_STOPPED) atl_launch_abandon(l, "failed", atl_status_message());
  atl_status_t trace_status = save_trace(l); /* also when the run was stopped */
  return status != ATL_OK ? status : trace_status;
}

static void clear_launch(atl_launch_t *l) {
  l->worker_ops->destroy(&l->worker);
  atl_schedule_destroy(&l->schedule);
  atl_trace_destroy(&l->trace);
  atl_model_destroy(&l->model);
  atl_arena_clear(&l->arena);
  atl_peers_destroy(&l->peers);
  atl_traffic_clear(&l->traffic);
  atl_comm_stop(&l->world);
}

atl_status_t atl_launch_run(int argc, char **argv, const atl_worker_ops_t *worker_ops, const atl_task_t *task) {
  atl_launch_t l = {.worker_ops = worker_ops, .task = task, .started = atl_timer_now()};
  ATL_TRY(atl_comm_start(&argc, &argv, &l.world));
  l.is_root = atl_comm_rank(l.world) == 0;
  atl_log_set_speaker(atl_comm_rank(l.world), NULL);
  atl_status_t status = atl_traffic_init(l.world, &l.traffic);
  if (status == ATL_OK) status = atl_peers_new(l.world, task->patience, &l.peers);
  if (status == ATL_OK) status = run_phases(&l);
  clear_launch(&l);
  return status;
}
