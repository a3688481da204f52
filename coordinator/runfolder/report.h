/* Report: where the time of a run went, as a table that a user can act on. It has rates (images/s, tokens/s, images/s
 * per core), the plan's prediction beside the measurement, the stages' time with one sentence of advice, and every
 * role's seconds and memory. Local. */
#ifndef ATL_COORDINATOR_RUNFOLDER_REPORT_H
#define ATL_COORDINATOR_RUNFOLDER_REPORT_H

#include <stdio.h>

#include "coordinator/runfolder/summary.h"

/* Prints the table. MEMORY. Borrows. */
atl_status_t atl_report_print(const atl_run_summary_t *summary, FILE *out);

#endif
