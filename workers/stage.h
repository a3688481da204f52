/* Stage: one rank's part of a pipeline. It holds some layers of the transformer, takes packets from the stage before,
 * computes them in place and sends them on. The first stage also makes the packets (workers/injector), the last one
 * also draws tokens (workers/token_sampler).
 *
 *   coordinator --assignment--> first stage ==packets==> ... ==packets==> last stage --grids--> coordinator
 *                                    ^--------------- drawn codes ---------------'
 *
 * A slot is a microbatch of b candidates in flight; all rows of a slot are at the same image position. With guidance a
 * slot has 2b rows: candidates first, then the same candidates with the null text.
 */
#ifndef ATL_WORKERS_STAGE_H
#define ATL_WORKERS_STAGE_H

#include "model/checkpoint/model.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/trace.h"
#include "proto/wire.h"
#include "workers/waits.h"

typedef struct atl_stage atl_stage_t;

/* Loads the layers of stage `i_stage` of pipeline `i_pipeline` and opens its hops. Borrows job, plan, model and traffic
 * for its life. INPUT, MEMORY, COMM. Caller owns. */
atl_status_t atl_stage_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                           atl_traffic_t *traffic, atl_trace_t *trace, int32_t i_pipeline, int32_t i_stage,
                           atl_stage_t **stage);
void atl_stage_destroy(atl_stage_t **stage);

/* First stage only: work from the coordinator; codes from the last stage. Checked: INPUT. */
atl_status_t atl_stage_assign(atl_stage_t *stage, const atl_message_t *message);
atl_status_t atl_stage_accept_codes(atl_stage_t *stage, const atl_message_t *message);
/* Computes one packet, if one is there. */
atl_status_t atl_stage_step(atl_stage_t *stage, atl_did_t *did);
/* The pipeline has drawn its last code: frees layers, caches and buffers. Only the report is left. */
void atl_stage_retire(atl_stage_t *stage);
/* After the job's end: drops what still comes. *is_idle: its own sends are complete. */
atl_status_t atl_stage_drain(atl_stage_t *stage, bool *is_idle);
/* What it did, for the report. */
void atl_stage_get_report(const atl_stage_t *stage, atl_report_t *report);

#endif
