/* Worker: the roles of one rank besides the coordinator (a stage, a decoder, both or none), polled in one loop.
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

/* Creates the roles that the plan assigns to this rank. trace may be NULL: nothing is recorded. Borrows all its inputs
 * for its life. Local. INPUT, MEMORY, COMM. Caller owns. */
atl_status_t atl_worker_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                            atl_traffic_t *traffic, atl_trace_t *trace, atl_worker_t **worker);
void atl_worker_destroy(atl_worker_t **worker);
/* Dispatches the messages that have arrived and runs one step of each role. coordinating: seconds this rank's
 * coordinator has worked so far; the worker does not count them as waits. Sets *did_work when anything was done. */
atl_status_t atl_worker_poll(atl_worker_t *worker, double coordinating, bool *did_work);
/* After the stop: discards messages that still arrive. *is_idle: all sends of this rank are complete. Local. */
atl_status_t atl_worker_drain(atl_worker_t *worker, bool *is_idle);
/* Has the coordinator sent STOP? */
bool atl_worker_is_stopped(const atl_worker_t *worker);
/* Writes a report per role, counted since the first poll, and returns how many (at most 2). The worker also sends them
 * to the coordinator every second. */
int atl_worker_get_reports(const atl_worker_t *worker, atl_report_t reports[2]);

#endif
