/* Launch, private: the state shared by the phases of a launch, and the phases that have a source of their own. */
#ifndef ATL_COORDINATOR_JOB_LAUNCH_PRIVATE_H
#define ATL_COORDINATOR_JOB_LAUNCH_PRIVATE_H

#include "coordinator/job/launch.h"
#include "coordinator/job/peers.h"
#include "partition/clock.h"
#include "proto/trace.h"

typedef struct {
  const atl_worker_ops_t *worker_ops;
  const atl_task_t *task;
  atl_comm_t *world;
  atl_place_t host;
  atl_traffic_t traffic;
  atl_arena_t arena;
  atl_job_t job;
  atl_plan_t plan;
  atl_model_t *model;
  atl_worker_t *worker;
  atl_schedule_t *schedule; /* rank 0 */
  atl_trace_t *trace;       /* NULL: no trace */
  atl_clock_t clock;        /* the clock at the start of the loop */
  atl_peers_t *peers;       /* used by rank 0 */
  bool is_root;
  bool is_stopping;    /* rank 0 was asked to stop, and has told the workers */
  double coordinating; /* seconds that rank 0 has coordinated */
  double started, loaded;
} atl_launch_t;

/* launch_share.c. share_job broadcasts rank 0's packed job (collective; caller owns *bytes). open_job unpacks it and
 * opens the model (local). check_job compares the job's sizes with the model's (local). share_plan measures costs, if
 * the job asks for it, and broadcasts rank 0's plan (collective). */
atl_status_t atl_launch_share_job(atl_launch_t *l, char **bytes, size_t *n_bytes);
atl_status_t atl_launch_open_job(atl_launch_t *l, const char *bytes, size_t n_bytes);
atl_status_t atl_launch_check_job(const atl_launch_t *l);
atl_status_t atl_launch_share_plan(atl_launch_t *l);

/* launch_meet.c, collective. compare refuses ranks whose model or kernels differ from rank 0's. meet agrees on the
 * `status` of a phase; rank 0 first waits for every rank and names those that do not come: "it should `what`". */
atl_status_t atl_launch_compare(atl_launch_t *l);
atl_status_t atl_launch_meet(atl_launch_t *l, const char *what, atl_status_t status);

/* launch_loop.c. The loop runs until the worker is stopped; nothing in it is collective. The drain ends with an
 * agreement. rest waits after the n_idle-th poll in a row that found no message. */
atl_status_t atl_launch_loop(atl_launch_t *l);
void atl_launch_rest(int n_idle);
atl_status_t atl_launch_drain(atl_launch_t *l);

/* launch_finish.c: gathers the reports and lets the task finish. Collective. */
atl_status_t atl_launch_finish(atl_launch_t *l);

/* launch_failure.c: abandon tells the task that the run ends without finish; end_job aborts all ranks. Local. */
void atl_launch_abandon(const atl_launch_t *l, const char *state, const char *reason);
_Noreturn void atl_launch_end_job(atl_launch_t *l, atl_status_t failure);

#endif
