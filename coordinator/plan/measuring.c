#include "coordinator/plan/measuring.h"

#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/resident.h"
#include "common/sort.h"
#include "common/timer.h"

atl_calibration_spec_t atl_measuring_spec(const atl_job_t *job, int32_t microbatch) {
  return (atl_calibration_spec_t){.microbatch = microbatch,
                                  .n_streams = job->n_null_ids > 0 ? 2 : 1,
                                  .dtype = job->dtype,
                                  .kv = job->kv,
                                  .backend = (atl_backend_t)job->backend,
                                  .has_decoder = true,
                                  .is_ranked = job->is_ranked};
}

/* A failed barrier only lets ranks measure at different times, which is slightly wrong; the next collective reports the
 * failure. */
static void wait_for_all(void *world) { (void)atl_comm_barrier(world); }

enum { N_FIELDS = sizeof(atl_calibration_t) / sizeof(double) };
_Static_assert(sizeof(atl_calibration_t) == N_FIELDS * sizeof(double), "a calibration has only fields of type double");

/* all: (n_ranks, N_FIELDS). */
static atl_status_t take_medians(const char *all, int n_ranks, atl_calibration_t *calibration) {
  double medians[N_FIELDS], *column;
  ATL_TRY(ATL_NEW(n_ranks, &column));
  for (size_t i = 0; i < N_FIELDS; i++) {
    for (size_t r = 0; r < (size_t)n_ranks; r++)
      memcpy(&column[r], all + (r * N_FIELDS + i) * sizeof(double), sizeof(double));
    medians[i] = atl_sort_median(column, (size_t)n_ranks);
  }
  memcpy(calibration, medians, sizeof medians);
  ATL_DESTROY(&column);
  return ATL_OK;
}

static atl_status_t gather(const atl_comm_t *world, atl_calibration_t *calibration) {
  char *all = NULL;
  size_t *offsets = NULL;
  ATL_TRY(atl_comm_gather(world, 0, calibration, sizeof *calibration, &all, &offsets));
  atl_status_t status = ATL_OK;
  if (atl_comm_rank(world) == 0) status = take_medians(all, atl_comm_size(world), calibration);
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  return status;
}

atl_status_t atl_measuring_run(const atl_comm_t *world, const atl_place_t *host, const atl_model_t *model,
                               const atl_calibration_spec_t *spec, atl_calibration_t *calibration) {
  double start = atl_timer_now();
  const atl_sync_group_t group = {.index = atl_comm_rank(world), .barrier = wait_for_all, .context = (void *)world};
  atl_calibration_spec_t bounded = *spec;
  atl_calibrator_t *calibrator;
  bounded.max_bytes = host->free_bytes / 2;
  atl_status_t status = atl_comm_agree(world, atl_calibrator_new(model, &bounded, &calibrator));
  if (status == ATL_OK) status = atl_calibrator_run(calibrator, &group, calibration);
  atl_calibrator_destroy(&calibrator);
  ATL_TRY(atl_comm_agree(world, status));
  ATL_TRY(atl_comm_agree(world, gather(world, calibration)));
  atl_memory_reset_peak(); /* the peaks of the report are to be those of the job */
  atl_resident_reset_peak();
  ATL_LOG_ROOT(INFO, "measured the model's costs on this machine in %.2f s, %d rank%s at once", atl_timer_now() - start,
               atl_comm_size(world), atl_comm_size(world) == 1 ? "" : "s");
  return ATL_OK;
}
