/* Scorer: how well a picture fits its prompt, by CLIP. The text's features are computed once per prompt and kept. */
#ifndef ATL_WORKERS_SCORER_H
#define ATL_WORKERS_SCORER_H

#include "model/checkpoint/model.h"
#include "proto/wire.h"

typedef struct atl_scorer atl_scorer_t;

/* Borrows job and model for its life. INPUT, MEMORY. Caller owns. */
atl_status_t atl_scorer_new(const atl_job_t *job, const atl_model_t *model, atl_scorer_t **scorer);
void atl_scorer_destroy(atl_scorer_t **scorer);
/* score <- exp(logit scale) cos(rgb(height,width,3), the prompt's text). */
atl_status_t atl_scorer_run(atl_scorer_t *scorer, int32_t prompt, const uint8_t *rgb, int32_t height, int32_t width,
                            float *score);

#endif
