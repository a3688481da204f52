/* Calibration: how long a model's parts take on this machine, by computing a few steps of them: some layers at half an
 * image, the head, drawing, text rows, and one picture through the dVAE, PNG and CLIP. Knows nothing of plans.
 *
 *     atl_calibration_spec_t spec = {.microbatch = 32, .n_streams = 1, .dtype = ATL_F32, .has_decoder = true};
 *     ATL_TRY(atl_calibrator_new(model, &spec, &calibrator));    loads what is measured
 *     ATL_TRY(atl_calibrator_run(calibrator, NULL, &calibration));
 *     atl_calibrator_destroy(&calibrator);
 *
 * Means of a few steps without their extremes. Processes that share a machine take memory bandwidth and heat from each
 * other, so those that will compute at once should measure at once, as a sync group.
 */
#ifndef ATL_MODEL_PERF_CALIBRATION_H
#define ATL_MODEL_PERF_CALIBRATION_H

#include "model/checkpoint/model.h"
#include "model/kernels/linear/linear.h"

typedef struct {
  int32_t microbatch; /* candidates of a step */
  int32_t n_streams;  /* rows a candidate has: 2 with guidance, else 1 */
  atl_dtype_t dtype, kv;
  atl_backend_t backend;
  bool has_decoder, is_ranked; /* dVAE; CLIP too */
  int64_t max_bytes;           /* that the measured layers may take, unless it is one; 0: what they need */
} atl_calibration_spec_t;

/* Seconds. The fixed part of a step is what it takes with no candidates. */
typedef struct {
  double layer, layer_fixed, head, head_fixed, embed, draw; /* of a microbatch */
  double prefill_row;                                       /* a text row through a layer */
  double decode, score;                                     /* of an image; decode with its PNG */
} atl_calibration_t;

typedef struct atl_calibrator atl_calibrator_t;

/* Borrows the model. INPUT, MEMORY. Caller owns. */
atl_status_t atl_calibrator_new(const atl_model_t *model, const atl_calibration_spec_t *spec,
                                atl_calibrator_t **calibrator);
void atl_calibrator_destroy(atl_calibrator_t **calibrator);
/* Processes that measure the same at the same time. */
typedef struct {
  int index;                      /* of this process among them: 0, 1, 2, ... */
  void (*barrier)(void *context); /* waits for the others; called equally often whatever fails */
  void *context;
} atl_sync_group_t;

/* Once. group NULL: alone. MEMORY. */
atl_status_t atl_calibrator_run(atl_calibrator_t *calibrator, const atl_sync_group_t *group,
                                atl_calibration_t *calibration);

#endif
