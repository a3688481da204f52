/* Launch: runs a job on all ranks of a launch, from MPI's start to its end. Every rank calls it with the same command
 * line; the coordinator's rank (0) prepares the job and gathers the results, the others only work.
 *
 *   prepare (rank 0) -> broadcast -> all ranks measure, if the job says so -> make_plan (rank 0) -> broadcast
 *     -> every rank loads its roles -> begin (rank 0) -> loop -> finish (rank 0)
 *
 * Each phase before the loop ends with an agreement: one rank's failure is the same failure on all. In the loop a
 * failed rank tells rank 0 why, which says so and ends the job; a rank that is silent is named (job/peers). Ranks that
 * have another model than rank 0, or other kernels, are refused (job/fingerprint).
 */
#ifndef ATL_COORDINATOR_JOB_LAUNCH_H
#define ATL_COORDINATOR_JOB_LAUNCH_H

#include "coordinator/job/schedule.h"
#include "coordinator/job/worker_ops.h"
#include "coordinator/runfolder/report.h"
#include "model/perf/calibration.h"
#include "partition/place.h"

/* A job as rank 0 runs it. Each function gets `context`. */
typedef struct {
  void *context;
  double patience; /* seconds of a rank's silence that end the job (job/peers); 0: it is waited for */
  bool wants_hops; /* the place is to say what a hop costs; the same on all ranks */
  /* Fills the job for n_ranks ranks and opens its model, which the launch owns, also after a failure, and keeps open
   * for all other functions. What the job points to lives as long as the context. */
  atl_status_t (*prepare)(void *context, int n_ranks, const atl_place_t *place, atl_job_t *job, atl_model_t **model);
  /* Who does what. measured: what job->measured_microbatch asked for, else NULL. */
  atl_status_t (*make_plan)(void *context, const atl_calibration_t *measured, atl_plan_t *plan);
  /* All ranks have loaded: makes the output's place, and says what happens with results. */
  atl_status_t (*begin)(void *context, const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                        atl_schedule_events_t *events);
  /* Called often while the job runs; may be NULL. */
  void (*tick)(void *context);
  /* The run is about to end without finish, or may be ended: "failed" or "stopped", and why. May be NULL. */
  void (*abandon)(void *context, const char *state, const char *reason);
  /* All results are in. */
  atl_status_t (*finish)(void *context, const atl_run_summary_t *summary);
} atl_task_t;

/* Collective over the launch. */
atl_status_t atl_launch_run(int argc, char **argv, const atl_worker_ops_t *worker_ops, const atl_task_t *task);

#endif
