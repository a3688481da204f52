/* Calibration: measures how long a model's parts take on this machine by computing a few steps of each: some layers at
 * half an image, the head, drawing, text rows, and one picture through the dVAE, PNG and CLIP. It knows nothing of
 * plans.
 *
 *     atl_calibration_spec_t spec = {.microbatch = 32, .n_streams = 1, .dtype = ATL_F32, .has_decoder = true};
 *     ATL_TRY(atl_calibrator_new(model, &spec, &calibrator));    loads the parts to measure
 *     ATL_TRY(atl_calibrator_run(calibrator, NULL, &calibration));
 *     atl_calibrator_destroy(&calibrator);
 *
 * Times are means of a few steps without the extremes. Processes that share a machine take memory bandwidth and heat
 * from each other, so those that will compute at the same time should measure at the same time, as a sync group. */
#ifndef ATL_MODEL_PERF_CALIBRATION_H
#define ATL_MODEL_PERF_CALIBRATION_H

#include "model/checkpoint/model.h"
#include "model/kernels/linear/linear.h"

typedef struct {
  int32_t microbatch; /* candidates per step */
  int32_t n_streams;  /* rows per candidate: 2 with guidance, else 1 */
  atl_dtype_t dtype, kv;
  atl_backend_t backend;
  bool has_decoder, is_ranked; /* measure the dVAE; CLIP too */
  int64_t max_bytes; /* bytes the measured layers may take, 2 GiB at most; 0: 2 GiB; one layer is always measured */
} atl_calibration_spec_t;

/* Seconds. The fixed part of a step is its time extrapolated to no candidates. */
typedef struct {
  double layer, layer_fixed, head, head_fixed, embed, draw; /* per microbatch */
  double prefill_row;                                       /* one text row through one layer */
  double decode, score;                                     /* per image; decode includes its PNG */
} atl_calibration_t;

typedef struct atl_calibrator atl_calibrator_t;

/* Borrows the model. INPUT, MEMORY. Caller owns. */
atl_status_t atl_calibrator_new(const atl_model_t *model, const atl_calibration_spec_t *spec,
                                atl_calibrator_t **calibrator);
void atl_calibrator_destroy(atl_calibrator_t **calibrator);
/* Processes that measure the same parts at the same time. */
typedef struct {
  int index;                      /* this process's index in the group: 0, 1, 2, ... */
  void (*barrier)(void *context); /* waits for the others; every process calls it equally often, whatever fails */
  void *context;
} atl_sync_group_t;

/* Call it once. Collective over the group; group NULL: this process alone. MEMORY. */
atl_status_t atl_calibrator_run(atl_calibrator_t *calibrator, const atl_sync_group_t *group,
                                atl_calibration_t *calibration);

#endif
