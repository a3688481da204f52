/* Bench report: the output of `atelier bench`, a table printed while it measures, and JSON that --compare reads in a
 * later run. Local.
 *
 *     atl_bench_report_t report = {.bench = &bench, .before = before};
 *     atl_bench_report_ceilings(&report);
 *     ... measure ...
 *     atl_bench_report_new(&report);               -- prints the entries added since the last call
 *     ATL_TRY(atl_bench_report_save(&report, "model", "now.json"));
 */
#ifndef ATL_COORDINATOR_COMMANDS_BENCH_REPORT_H
#define ATL_COORDINATOR_COMMANDS_BENCH_REPORT_H

#include "common/json.h"
#include "model/perf/bench/bench.h"

typedef struct {
  const atl_bench_t *bench;
  json_t *before;   /* name -> seconds in an earlier run; NULL: none. Borrowed */
  size_t n_printed; /* entries printed so far */
} atl_bench_report_t;

/* Reads name -> seconds from a file that atl_bench_report_save wrote, for `before`. INPUT. Caller owns *before
 * (json_decref), also when the file has no entries and the call fails. */
atl_status_t atl_bench_report_load(const char *path, json_t **before);

/* Prints one line per backend: whether this build and CPU have it, and which one `auto` selects. */
void atl_bench_report_backends(void);
/* Prints the CPU, the working set and the measured ceilings. */
void atl_bench_report_ceilings(const atl_bench_report_t *report);
/* Prints the column headings of the entries. */
void atl_bench_report_heading(const atl_bench_report_t *report);
/* Prints the entries added since the last call. */
void atl_bench_report_new(atl_bench_report_t *report);
/* Prints, per linear layer and row count, each library's time divided by that of our fastest kernel. Prints nothing for
 * a library that was not measured together with one of our kernels. */
void atl_bench_report_ratios(const atl_bench_report_t *report, const atl_backend_t *backends, int n_backends,
                             const int64_t *rows, int n_rows);
/* Prints the upper bounds of whole images; nothing without any. */
void atl_bench_report_jobs(const atl_bench_report_t *report);
/* Prints the memory read bandwidth at the end and at the start, and warns if it has changed. */
void atl_bench_report_end(const atl_bench_report_t *report);
/* Writes everything as JSON to path. model_name: NULL if only ceilings were measured. IO. */
atl_status_t atl_bench_report_save(const atl_bench_report_t *report, const char *model_name, const char *path);

#endif
