/* Decoder: turns complete token grids into pictures: dVAE decoding, CLIP scoring (workers/scorer), PNG encoding. It
 * pulls its work: it asks the coordinator for a few token grids at a time, so faster ranks take more. It writes the PNG
 * files itself; the coordinator gets a record of each.
 *
 *     ATL_TRY(atl_decoder_new(job, plan, model, traffic, NULL, i_decoder, &decoder));
 *     ATL_TRY(atl_decoder_step(decoder, &did_work));      again and again, between messages
 *     atl_decoder_destroy(&decoder);
 */
#ifndef ATL_WORKERS_DECODER_H
#define ATL_WORKERS_DECODER_H

#include "model/checkpoint/model.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/trace.h"
#include "proto/wire.h"

typedef struct atl_decoder atl_decoder_t;

/* Loads the dVAE's decoder and, when the job is ranked, CLIP. Borrows job, model, traffic and trace (NULL: nothing is
 * recorded) for its life. Local. INPUT, MEMORY. Caller owns. */
atl_status_t atl_decoder_new(const atl_job_t *job, const atl_plan_t *plan, const atl_model_t *model,
                             atl_traffic_t *traffic, atl_trace_t *trace, int32_t i_decoder, atl_decoder_t **decoder);
void atl_decoder_destroy(atl_decoder_t **decoder);

/* Queues token grids from the coordinator. INPUT when the message is malformed, does not fit the job, or has more than
 * were asked for. */
atl_status_t atl_decoder_accept(atl_decoder_t *decoder, const atl_message_t *message);
/* Decodes, scores and writes one picture, if a token grid is waiting (*did_work), and asks for more when few are left.
 */
atl_status_t atl_decoder_step(atl_decoder_t *decoder, bool *did_work);
/* Its counters and seconds so far. */
void atl_decoder_get_report(const atl_decoder_t *decoder, atl_report_t *report);

#endif
