/* Summary: what rank 0 knows about a run when it ends. Report and diagnosis are made from it. */
#ifndef ATL_COORDINATOR_RUNFOLDER_SUMMARY_H
#define ATL_COORDINATOR_RUNFOLDER_SUMMARY_H

#include <stdbool.h>

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

#endif
