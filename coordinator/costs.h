/* Costs: the seconds a plan is made from, measured on this machine once and remembered. They are kept in
 * ${XDG_CACHE_HOME:-~/.cache}/atelier/costs.json by model, processor, threads, rows, dtype and kernels. A cache that
 * cannot be read is ignored with a warning; one that cannot be written is no failure. Results never depend on costs.
 *
 *     atl_plan_request_t request;                       with estimated costs
 *     ATL_TRY(atl_costs_find(&spec, ATL_COSTS_MEASURE_IF_LONG, model, &request));
 */
#ifndef ATL_COORDINATOR_COSTS_H
#define ATL_COORDINATOR_COSTS_H

#include "common/arena.h"
#include "model/calibration.h"
#include "partition/plan.h"

typedef enum {
  ATL_COSTS_KNOWN,           /* what is remembered, else what was estimated */
  ATL_COSTS_MEASURE_IF_LONG, /* measures when the job is estimated to take ten times as long as that, or more */
  ATL_COSTS_MEASURE          /* measures anew */
} atl_costs_mode_t;

/* Fills request->costs, all but the hop; they stay estimated when nothing is known and nothing was measured. INPUT,
 * MEMORY from measuring. */
atl_status_t atl_costs_find(const atl_calibration_spec_t *spec, atl_costs_mode_t mode, const atl_model_t *model,
                            atl_plan_request_t *request);

/* The file, and reading and writing one entry of it. `key` is any text. get: false when it is not there or not whole.
 */
atl_status_t atl_costs_path(atl_arena_t *arena, char **path);
bool atl_costs_get(const char *path, const char *key, atl_calibration_t *calibration);
atl_status_t atl_costs_put(const char *path, const char *key, const atl_calibration_t *calibration);

#endif
