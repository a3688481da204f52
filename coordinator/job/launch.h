/* Launch: runs a job on all ranks of a launch, from MPI's start to its end. Every rank calls it with the same command
 * line. Rank 0, the coordinator, prepares the job and collects the results; every rank runs a worker with its roles.
 *
 *   prepare (rank 0) -> broadcast -> all ranks measure, if the job asks for it -> make_plan (rank 0) -> broadcast
 *     -> every rank loads its roles -> begin (rank 0) -> loop -> finish (rank 0)
 *
 * Each phase before the loop ends with an agreement, so one rank's failure becomes the same failure on all ranks. In
 * the loop, a failed rank sends its message to rank 0, which logs it and aborts the job; a silent rank is named
 * (coordinator/job/peers). Ranks whose model or kernels differ from rank 0's are refused (coordinator/job/fingerprint).
 */
#ifndef ATL_COORDINATOR_JOB_LAUNCH_H
#define ATL_COORDINATOR_JOB_LAUNCH_H

#include "coordinator/job/schedule.h"
#include "coordinator/job/worker_ops.h"
#include "coordinator/runfolder/report.h"
#include "model/perf/calibration.h"
#include "partition/place.h"

/* A job as rank 0 runs it. Each function is called on rank 0 and gets `context`. */
typedef struct {
  void *context;
  double patience; /* seconds of a rank's silence that end the job (coordinator/job/peers); 0: never */
  bool wants_hops; /* whether to measure what a hop costs; the same on all ranks */
  /* Fills the job for n_ranks ranks and opens its model. The launch takes the model, even after a failure, and keeps it
   * open for all other functions. What the job points to must live as long as the context. */
  atl_status_t (*prepare)(void *context, int n_ranks, const atl_place_t *host, atl_job_t *job, atl_model_t **model);
  /* Decides which rank does what. measured: the costs that job->measured_microbatch asked for, else NULL. */
  atl_status_t (*make_plan)(void *context, const atl_calibration_t *measured, atl_plan_t *plan);
  /* Called when all ranks have loaded: creates the output, and fills in the callbacks for results. */
  atl_status_t (*begin)(void *context, const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                        atl_schedule_events_t *events);
  /* Called often while the job runs. May be NULL. */
  void (*tick)(void *context);
  /* Called when the run ends without finish, or may end soon: state is "failed" or "stopped". May be NULL. */
  void (*abandon)(void *context, const char *state, const char *reason);
  /* Called at the end of a run that was complete or stopped, with its summary. */
  atl_status_t (*finish)(void *context, const atl_run_summary_t *summary);
} atl_task_t;

/* Collective over the launch; the same status on every rank. A failure inside the loop aborts the process instead of
 * returning. Borrows. */
atl_status_t atl_launch_run(int argc, char **argv, const atl_worker_ops_t *worker_ops, const atl_task_t *task);

#endif
