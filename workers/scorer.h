/* Scorer: CLIP's score of a picture against its prompt. A prompt's text features are computed once and kept. All
 * functions are local.
 *
 *     ATL_TRY(atl_scorer_new(job, model, &scorer));
 *     ATL_TRY(atl_scorer_run(scorer, prompt, rgb, height, width, &score));
 *     atl_scorer_destroy(&scorer);
 */
#ifndef ATL_WORKERS_SCORER_H
#define ATL_WORKERS_SCORER_H

#include "model/checkpoint/model.h"
#include "proto/wire.h"

typedef struct atl_scorer atl_scorer_t;

/* Borrows job and model for its life. INPUT, MEMORY. Caller owns. */
atl_status_t atl_scorer_new(const atl_job_t *job, const atl_model_t *model, atl_scorer_t **scorer);
void atl_scorer_destroy(atl_scorer_t **scorer);
/* *score <- exp(logit scale) * cos(CLIP features of rgb(height,width,3), CLIP features of the prompt's text). Borrows
 * rgb. MEMORY. */
atl_status_t atl_scorer_run(atl_scorer_t *scorer, int32_t prompt, const uint8_t *rgb, int32_t height, int32_t width,
                            float *score);

#endif
