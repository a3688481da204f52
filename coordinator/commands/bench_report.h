/* What `atelier bench` says: a table as things are measured, and JSON that a later run can be compared with.
 *
 *     atl_bench_report_t report = {.bench = &bench, .before = before};
 *     atl_bench_report_ceilings(&report);
 *     ... measure ...
 *     atl_bench_report_new(&report);               -- prints what was measured since the last call
 *     ATL_TRY(atl_bench_report_save(&report, "model", "now.json"));
 */
#ifndef ATL_COORDINATOR_COMMANDS_BENCH_REPORT_H
#define ATL_COORDINATOR_COMMANDS_BENCH_REPORT_H

#include "common/json.h"
#include "model/perf/bench/bench.h"

typedef struct {
  const atl_bench_t *bench;
  json_t *before;   /* name -> seconds of an earlier run; NULL without. Borrowed */
  size_t n_printed; /* entries */
} atl_bench_report_t;

/* The seconds of a file's entries by name, for `before`. INPUT. The caller's (json_decref), also after a failure. */
atl_status_t atl_bench_report_load(const char *path, json_t **before);

/* The kernels' backends, one a line: which this build and CPU have, and what `auto` comes to. */
void atl_bench_report_backends(void);
void atl_bench_report_ceilings(const atl_bench_report_t *report);
void atl_bench_report_heading(const atl_bench_report_t *report);
/* The entries added since the last call. */
void atl_bench_report_new(atl_bench_report_t *report);
/* Each library's time for a linear layer over that of the fastest own kernel; nothing without both. */
void atl_bench_report_ratios(const atl_bench_report_t *report, const atl_backend_t *backends, int n_backends,
                             const int64_t *rows, int n_rows);
void atl_bench_report_jobs(const atl_bench_report_t *report);
/* How fast memory is read at the end, next to the start. */
void atl_bench_report_end(const atl_bench_report_t *report);
/* model_name NULL: without one. */
atl_status_t atl_bench_report_save(const atl_bench_report_t *report, const char *model_name, const char *path);

#endif
