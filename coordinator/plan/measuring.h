/* Measuring: measures a model's costs on this machine, on all ranks of a launch at once, because that is how they will
 * compute: ranks of a host share its memory bandwidth, so a rank that measures alone gets costs that are too low. */
#ifndef ATL_COORDINATOR_PLAN_MEASURING_H
#define ATL_COORDINATOR_PLAN_MEASURING_H

#include "model/perf/calibration.h"
#include "partition/place.h"
#include "proto/wire.h"

/* The calibration of a job's costs: steps of `microbatch` candidates. Local. */
atl_calibration_spec_t atl_measuring_spec(const atl_job_t *job, int32_t microbatch);
/* Medians over the ranks on rank 0; on other ranks *calibration is their own. Takes seconds of computing and half of
 * the free memory of `host`, and logs one line. Collective over world; the same status on every rank. INPUT, MEMORY,
 * COMM. */
atl_status_t atl_measuring_run(const atl_comm_t *world, const atl_place_t *host, const atl_model_t *model,
                               const atl_calibration_spec_t *spec, atl_calibration_t *calibration);

#endif
