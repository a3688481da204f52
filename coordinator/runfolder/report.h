/* Report: where the time of a run went, as a table that a user can act on. It has rates (images/s, tokens/s, images/s
 * per core), the plan's prediction beside the measurement, the stages' time with one sentence of advice, and every
 * role's seconds and memory. Local. */
#ifndef ATL_COORDINATOR_RUNFOLDER_REPORT_H
#define ATL_COORDINATOR_RUNFOLDER_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "partition/plan.h"
#include "proto/wire.h"

typedef struct {
  double seconds;       /* from the end of loading to the last message */
  double setup_seconds; /* before that: starting, preparing, loading */
  int64_t n_images;
  bool is_stopped;             /* by a signal, before all images were done */
  int32_t n_drawn;             /* tokens drawn per image */
  double n_cores;              /* cores that all ranks together can keep busy */
  bool is_sharing_cores;       /* ranks share cores, so the times mean little */
  const atl_plan_t *plan;      /* NULL: there is no prediction */
  const atl_report_t *reports; /* one per role, in any order */
  int32_t n_reports;
} atl_run_summary_t;

/* Prints the table. MEMORY. Borrows. */
atl_status_t atl_report_print(const atl_run_summary_t *summary, FILE *out);

#endif
