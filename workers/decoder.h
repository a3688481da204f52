/* Decoder: turns finished token grids into pictures: dVAE, PNG, and CLIP's score (workers/scorer). It pulls its work:
 * it asks the coordinator for a few grids at a time, so that fast nodes take more. PNG bytes are made and written here;
 * the coordinator gets a record.
 */
#ifndef ATL_WORKERS_DECODER_H
#define ATL_WORKERS_DECODER_H

#include "model/checkpoint/model.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/trace.h"
#include "proto/wire.h"

typedef struct atl_decoder atl_decoder_t;

/* Loads dVAE and, when the job is ranked, CLIP. Borrows job, plan, model and traffic. INPUT, MEMORY. Caller owns. */
atl_status_t atl_decoder_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                             atl_traffic_t *traffic, atl_trace_t *trace, int32_t i_decoder, atl_decoder_t **decoder);
void atl_decoder_destroy(atl_decoder_t **decoder);

/* Grids from the coordinator. Checked: INPUT. */
atl_status_t atl_decoder_accept(atl_decoder_t *decoder, const atl_message_t *message);
/* Asks for grids when few are left; decodes, scores and records one picture if there is one. */
atl_status_t atl_decoder_step(atl_decoder_t *decoder, bool *did_work);
void atl_decoder_get_report(const atl_decoder_t *decoder, atl_report_t *report);

#endif
