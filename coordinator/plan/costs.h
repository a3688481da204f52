/* Costs: the seconds a plan is made from, measured on this machine once and remembered. They are kept in
 * ${XDG_CACHE_HOME:-~/.cache}/atelier/costs.json by model, processor, threads, ranks of a host, rows, dtype and
 * kernels. A cache that cannot be read is ignored with a warning; one that cannot be written is no failure. Results
 * never depend on costs. coordinator/plan/measuring measures them.
 *
 *     atl_plan_request_t request;                                  with estimated costs
 *     ATL_TRY(atl_costs_lookup(model, &subject, &request, &is_known));
 *     if (!is_known && atl_costs_should_measure(&request)) {
 *       ...                                                        measured on all ranks at once
 *       ATL_TRY(atl_costs_store(model, &subject, &calibration, &request));
 *     }
 */
#ifndef ATL_COORDINATOR_PLAN_COSTS_H
#define ATL_COORDINATOR_PLAN_COSTS_H

#include "common/arena.h"
#include "model/perf/calibration.h"
#include "partition/plan.h"

/* What the seconds are of, beside the model and this processor. */
typedef struct {
  atl_calibration_spec_t spec;
  int n_ranks; /* of a host that compute at once: they share its memory's bandwidth */
} atl_costs_subject_t;

/* Fills request->costs, all but the hop, when they are remembered; else they stay as they are. */
atl_status_t atl_costs_lookup(const atl_model_t *model, const atl_costs_subject_t *subject, atl_plan_request_t *request,
                              bool *is_known);
/* Is the job, by the costs in the request, so long that measuring is less than a tenth of it? */
bool atl_costs_should_measure(const atl_plan_request_t *request);
/* Fills request->costs, all but the hop, and remembers them. */
atl_status_t atl_costs_store(const atl_model_t *model, const atl_costs_subject_t *subject,
                             const atl_calibration_t *calibration, atl_plan_request_t *request);

/* The file (NULL when the user has no home directory), and reading and writing one entry of it. `key` is any text. get:
 * false when it is not there, not whole, or not of seconds that can be. put: several jobs may do it at once. */
atl_status_t atl_costs_path(atl_arena_t *arena, char **path);
bool atl_costs_get(const char *path, const char *key, atl_calibration_t *calibration);
atl_status_t atl_costs_put(const char *path, const char *key, const atl_calibration_t *calibration);

#endif
