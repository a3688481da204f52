/* Provenance: what run.json says about how a run's pictures came to be. */
#ifndef ATL_COORDINATOR_RUNFOLDER_PROVENANCE_H
#define ATL_COORDINATOR_RUNFOLDER_PROVENANCE_H

#include "common/json.h"
#include "model/checkpoint/model.h"
#include "proto/wire.h"

/* Everything that decides the pixels: model, sampling, dtypes, kernels, priming. `negative` may be NULL. MEMORY. Caller
 * owns. */
atl_status_t atl_provenance_of_pixels(const atl_job_t *job, const atl_model_t *model, const char *negative,
                                      json_t **object);
/* Where it ran. MEMORY. Caller owns. */
atl_status_t atl_provenance_of_machine(int n_ranks, json_t **object);

#endif
