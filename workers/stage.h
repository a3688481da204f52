/* Stage: one rank's part of a pipeline. It holds a contiguous range of the transformer's layers, takes packets from the
 * previous stage, computes them in place and sends them to the next. The first stage also makes the packets
 * (workers/injector), the last one also draws tokens (workers/token_sampler).
 *
 *   coordinator --assignment--> first stage ==packets==> ... ==packets==> last stage --token grids--> coordinator
 *                                    ^--------------- drawn tokens --------------'
 *
 * A slot holds a microbatch of up to b candidates in flight; all its rows are at the same image position. With guidance
 * a slot has two rows per candidate: first one per candidate with its text, then the same candidates with the null
 * text.
 *
 *     ATL_TRY(atl_stage_new(job, plan, model, traffic, NULL, i_pipeline, i_stage, &stage));
 *     ATL_TRY(atl_stage_step(stage, &did));        again and again, between messages
 *     atl_stage_destroy(&stage);
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

/* Loads the layers of stage `i_stage` of pipeline `i_pipeline` and posts its receives. Borrows job, model, traffic and
 * trace (NULL: nothing is recorded) for its life. Local. INPUT, MEMORY, COMM. Caller owns. */
atl_status_t atl_stage_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                           atl_traffic_t *traffic, atl_trace_t *trace, int32_t i_pipeline, int32_t i_stage,
                           atl_stage_t **stage);
void atl_stage_destroy(atl_stage_t **stage);

/* First stage only: an assignment from the coordinator; drawn tokens from the last stage. INPUT when the message is
 * malformed or does not fit. A stage that has retired ignores tokens. */
atl_status_t atl_stage_assign(atl_stage_t *stage, const atl_message_t *message);
atl_status_t atl_stage_accept_codes(atl_stage_t *stage, const atl_message_t *message);
/* Computes one packet, if there is one; *did says whether it did, or what it is waiting for. INPUT, NUMERIC, COMM. */
atl_status_t atl_stage_step(atl_stage_t *stage, atl_did_t *did);
/* Frees layers, caches and buffers once the pipeline has drawn its last token; only the report is left. */
void atl_stage_retire(atl_stage_t *stage);
/* After the job's end: discards packets that still arrive. *is_idle: its own sends are complete. */
atl_status_t atl_stage_drain(atl_stage_t *stage, bool *is_idle);
/* Its counters and seconds so far. */
void atl_stage_get_report(const atl_stage_t *stage, atl_report_t *report);

#endif
