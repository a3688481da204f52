/* Provenance: the parts of run.json that say how and where a run's pictures were made. Local. */
#ifndef ATL_COORDINATOR_RUNFOLDER_PROVENANCE_H
#define ATL_COORDINATOR_RUNFOLDER_PROVENANCE_H

#include "common/json.h"
#include "model/checkpoint/model.h"
#include "proto/wire.h"

/* A JSON object of everything that decides the pixels: model, sampling, dtypes, kernels, priming. `negative` may be
 * NULL. MEMORY. Caller owns. */
atl_status_t atl_provenance_of_pixels(const atl_job_t *job, const atl_model_t *model, const char *negative,
                                      json_t **object);
/* A JSON object of what it ran on: MPI library and number of ranks. MEMORY. Caller owns. */
atl_status_t atl_provenance_of_machine(int n_ranks, json_t **object);

#endif
