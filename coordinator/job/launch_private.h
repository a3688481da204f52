/* Launch, inside: the state that the phases of a launch share, and those phases that have a source of their own. */
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
  atl_peers_t *peers;       /* used by rank 0 */
  bool is_root;
  bool is_stopping;    /* rank 0 was asked to, and has said so */
  double coordinating; /* seconds that rank 0 has coordinated */
  double started, loaded;
} atl_launch_t;

/* launch_share.c: collective. share_job gives every rank the packed job of rank 0 (caller owns *bytes); open_job reads
 * it and opens the model; share_plan measures, when the job says so, and gives every rank the plan of rank 0. */
atl_status_t atl_launch_share_job(atl_launch_t *l, char **bytes, size_t *n_bytes);
atl_status_t atl_launch_open_job(atl_launch_t *l, const char *bytes, size_t n_bytes); /* local */
atl_status_t atl_launch_check_job(const atl_launch_t *l); /* the job's numbers against the model's; local */
atl_status_t atl_launch_share_plan(atl_launch_t *l);

/* launch_meet.c: collective. compare refuses ranks that would compute with something else than rank 0. meet is an
 * agreement on `status` of a phase, before which rank 0 waits for every rank and names those that do not come: "it should
 * `what`". */
atl_status_t atl_launch_compare(atl_launch_t *l);
atl_status_t atl_launch_meet(atl_launch_t *l, const char *what, atl_status_t status);

/* launch_loop.c: until the worker is stopped. Nothing in the loop is collective; the drain ends with an agreement. */
atl_status_t atl_launch_loop(atl_launch_t *l);
void atl_launch_rest(int n_idle); /* after so many looks at messages that found nothing */
atl_status_t atl_launch_drain(atl_launch_t *l);

/* launch_finish.c: gathers the reports and lets the task finish. Collective. */
atl_status_t atl_launch_finish(atl_launch_t *l);

/* launch_failure.c: abandon tells the task that the run ends without finish; end_job ends all ranks. Local. */
void atl_launch_abandon(const atl_launch_t *l, const char *state, const char *reason);
_Noreturn void atl_launch_end_job(atl_launch_t *l, atl_status_t failure);

#endif
