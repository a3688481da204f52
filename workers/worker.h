/* Worker: the roles one rank carries besides the coordinator (a stage, a decoder, both or none), polled in one loop.
 *
 *     ATL_TRY(atl_worker_new(job, plan, model, traffic, NULL, &worker));
 *     while (!atl_worker_is_stopped(worker)) ATL_TRY(atl_worker_poll(worker, 0, &did_work));
 *     atl_worker_destroy(&worker);
 */
#ifndef ATL_WORKERS_WORKER_H
#define ATL_WORKERS_WORKER_H

#include "model/checkpoint/model.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/trace.h"
#include "proto/wire.h"

typedef struct atl_worker atl_worker_t;

/* The roles the plan gives this rank. trace NULL: nothing is recorded. Local; borrows everything. INPUT, MEMORY, COMM.
 * Caller owns. */
atl_status_t atl_worker_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                            atl_traffic_t *traffic, atl_trace_t *trace, atl_worker_t **worker);
void atl_worker_destroy(atl_worker_t **worker);
/* Reads what came and does a piece of work of each role. coordinating: seconds that this rank's coordinator has worked
 * so far; the worker does not count them as waits. */
atl_status_t atl_worker_poll(atl_worker_t *worker, double coordinating, bool *did_work);
/* After the stop: drops what still comes. *is_idle: all sends of this rank are complete. */
atl_status_t atl_worker_drain(atl_worker_t *worker, bool *is_idle);
/* Has the coordinator said that all is done? */
bool atl_worker_is_stopped(const atl_worker_t *worker);
/* Reports of its roles (at most 2), since the first poll. They also go to the coordinator every second. */
int atl_worker_get_reports(const atl_worker_t *worker, atl_report_t reports[2]);

#endif
