/* Report: where the seconds of a run went, as a table a user can act on: per role busy, waiting, draw, io; images/s,
 * tokens/s, images/s a core; peak memory a rank, as planned and as measured; and the plan's prediction beside what was
 * measured. */
#ifndef ATL_COORDINATOR_RUNFOLDER_REPORT_H
#define ATL_COORDINATOR_RUNFOLDER_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "partition/plan.h"
#include "proto/wire.h"

typedef struct {
  double seconds;       /* from the first assignment to the last record */
  double setup_seconds; /* loading, before that */
  int64_t n_images;
  bool is_stopped;             /* by a signal, before all images were done */
  int32_t n_drawn;             /* tokens drawn an image */
  double n_cores;              /* that all ranks together can keep busy */
  bool is_sharing_cores;       /* ranks compute in turns: the times mean little */
  const atl_plan_t *plan;      /* NULL: nothing was predicted */
  const atl_report_t *reports; /* one a role, any order */
  int32_t n_reports;
} atl_run_summary_t;

/* Prints the table. MEMORY. Borrows. */
atl_status_t atl_report_print(const atl_run_summary_t *summary, FILE *out);

#endif
