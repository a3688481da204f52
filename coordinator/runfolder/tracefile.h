/* Trace file: the ranks' events as JSON for chrome://tracing and ui.perfetto.dev. A process is a rank, a thread one of
 * its roles; arrows follow packets from stage to stage and drawn tokens back to the first stage; counters show how many
 * token grids and slots wait.
 *
 *     atl_tracefile_save(world, &plan, trace, &at_start, &at_end, path);       collective
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_TRACEFILE_H
#define ATL_COORDINATOR_RUNFOLDER_TRACEFILE_H

#include "partition/clock.h"
#include "partition/plan.h"
#include "proto/trace.h"

/* Head of one rank's events, as rank 0 receives them. */
typedef struct {
  atl_clock_t at_start, at_end;
  int64_t n_lost; /* events overwritten by later ones */
  char host[64];
} atl_tracefile_head_t;

/* Number of events a rank's ring may hold, so that those of all ranks fit into rank 0's memory together. Local. */
int64_t atl_tracefile_capacity(int32_t n_ranks);
/* Gathers all events on rank 0, which writes the file. Collective over world; the same status on every rank. IO,
 * MEMORY. Borrows. */
atl_status_t atl_tracefile_save(const atl_comm_t *world, const atl_plan_t *plan, atl_trace_t *trace,
                                const atl_clock_t *at_start, const atl_clock_t *at_end, const char *path);
/* Writes the file: bytes[offsets[r] .. offsets[r + 1]) are rank r's head and events. Local. IO, MEMORY. Borrows. */
atl_status_t atl_tracefile_write(const atl_plan_t *plan, const char *bytes, const size_t *offsets, int32_t n_ranks,
                                 const char *path);

#endif
