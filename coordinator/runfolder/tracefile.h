/* Trace file: the ranks' events as JSON that chrome://tracing and ui.perfetto.dev read. A process is a rank, a thread
 * is one of its roles; arrows follow packets from stage to stage, and drawn codes back to the first; counters say how
 * many grids wait.
 *
 *     atl_tracefile_save(world, &plan, trace, &at_start, &at_end, path);       collective
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_TRACEFILE_H
#define ATL_COORDINATOR_RUNFOLDER_TRACEFILE_H

#include "partition/clock.h"
#include "partition/plan.h"
#include "proto/trace.h"

/* One rank's events as rank 0 has them. */
typedef struct {
  atl_clock_t at_start, at_end;
  int64_t n_lost; /* events that gave way to later ones */
  char host[64];
} atl_tracefile_head_t;

/* Events a rank's ring has room for, so that all ranks' fit rank 0's memory together. */
int64_t atl_tracefile_capacity(int32_t n_ranks);
/* Gathers the ranks' events on rank 0, which writes the file. IO, MEMORY; the same status on all. Collective. */
atl_status_t atl_tracefile_save(const atl_comm_t *world, const atl_plan_t *plan, atl_trace_t *trace,
                                const atl_clock_t *at_start, const atl_clock_t *at_end, const char *path);
/* The writing alone: bytes[offsets[r] .. offsets[r + 1]) are rank r's head and events. Local. */
atl_status_t atl_tracefile_write(const atl_plan_t *plan, const char *bytes, const size_t *offsets, int32_t n_ranks,
                                 const char *path);

#endif
