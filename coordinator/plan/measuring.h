/* Measuring: a model's costs on this machine, found by all ranks of a launch at once, as they will compute at once:
 * ranks of a host share its memory, and one that measures alone promises too much.
 */
#ifndef ATL_COORDINATOR_PLAN_MEASURING_H
#define ATL_COORDINATOR_PLAN_MEASURING_H

#include "model/perf/calibration.h"
#include "partition/place.h"
#include "proto/wire.h"

/* What a job's costs are measured with: a step of `microbatch` candidates. */
atl_calibration_spec_t atl_measuring_spec(const atl_job_t *job, int32_t microbatch);
/* Medians over the ranks, on rank 0; elsewhere *calibration is this rank's. Seconds of computing, in half of the free
 * memory of `place`, and a line in the log. Collective over world. INPUT, MEMORY, COMM, on every rank. */
atl_status_t atl_measuring_run(const atl_comm_t *world, const atl_place_t *place, const atl_model_t *model,
                               const atl_calibration_spec_t *spec, atl_calibration_t *calibration);

#endif
