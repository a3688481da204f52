/* Worker operations: the functions with which a launch runs a rank's worker, so that coordinator/ does not depend on
 * workers/. main.c fills them in. */
#ifndef ATL_COORDINATOR_JOB_WORKER_OPS_H
#define ATL_COORDINATOR_JOB_WORKER_OPS_H

#include "model/checkpoint/model.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/trace.h"
#include "proto/wire.h"

typedef struct atl_worker atl_worker_t;

/* The functions of workers/worker.h, which documents them. */
typedef struct {
  atl_status_t (*new)(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model, atl_traffic_t *traffic,
                      atl_trace_t *trace, atl_worker_t **worker);
  void (*destroy)(atl_worker_t **worker);
  atl_status_t (*poll)(atl_worker_t *worker, double coordinating, bool *did_work);
  atl_status_t (*drain)(atl_worker_t *worker, bool *is_idle);
  bool (*is_stopped)(const atl_worker_t *worker);
  int (*get_reports)(const atl_worker_t *worker, atl_report_t reports[2]);
} atl_worker_ops_t;

#endif
