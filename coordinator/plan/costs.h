/* Costs: the measured seconds that a plan is made from. They are measured once for a machine and stored in
 * ${XDG_CACHE_HOME:-~/.cache}/atelier/costs.json, keyed by model, processor, threads, ranks per host, rows, dtype and
 * kernels. A file that cannot be read is ignored with a warning; one that cannot be written is reported in the log
 * only. Results never depend on costs. plan/measuring measures them. All local.
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

/* What the seconds belong to, beside the model and this processor. */
typedef struct {
  atl_calibration_spec_t spec;
  int n_ranks; /* ranks of one host that compute at once and share its memory bandwidth */
} atl_costs_subject_t;

/* Fills request->costs, except the hop, if stored costs are found; otherwise leaves them unchanged. MEMORY. */
atl_status_t atl_costs_lookup(const atl_model_t *model, const atl_costs_subject_t *subject, atl_plan_request_t *request,
                              bool *is_known);
/* True when, by the costs in the request, measuring takes less than a tenth of the job's time. */
bool atl_costs_should_measure(const atl_plan_request_t *request);
/* Fills request->costs, except the hop, and stores them. MEMORY. */
atl_status_t atl_costs_store(const atl_model_t *model, const atl_costs_subject_t *subject,
                             const atl_calibration_t *calibration, atl_plan_request_t *request);

/* The file's path (NULL: the user has no home directory), and one entry of it; `key` is any text. get returns false
 * when the entry is missing, incomplete or out of bounds. put: IO, INPUT; several jobs may call it at once. */
atl_status_t atl_costs_path(atl_arena_t *arena, char **path);
bool atl_costs_get(const char *path, const char *key, atl_calibration_t *calibration);
atl_status_t atl_costs_put(const char *path, const char *key, const atl_calibration_t *calibration);

#endif
