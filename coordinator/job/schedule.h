/* Schedule: the coordinator's side of a running job. It assigns candidates to pipelines and token grids to decoders as
 * they ask for work, and passes every result on through the events of the command that runs the job (generate, probe).
 *
 *   first stages --ask--> [candidates left] --assignment-->        last stages --grids--> [grids waiting]
 *   decoders --ask--> [grids waiting] --grids-->                   decoders --record--> events
 *
 * The order in which work is handed out does not change any result. Lives on the coordinator's rank only. Sends and
 * receives messages; none of its functions is collective.
 */
#ifndef ATL_COORDINATOR_JOB_SCHEDULE_H
#define ATL_COORDINATOR_JOB_SCHEDULE_H

#include "coordinator/job/peers.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/wire.h"

/* Callbacks for results. take_grid, take_report and find_threshold may be NULL; take_record and take_logits may be NULL
 * when the job has no such results. The job is complete after n_results results. */
typedef struct {
  void *context;
  int64_t n_results; /* counts records, or grids when take_record is NULL, or logits when both are NULL */
  atl_status_t (*take_grid)(void *context, const atl_grid_t *grid);
  atl_status_t (*take_record)(void *context, const atl_record_t *record);
  atl_status_t (*take_logits)(void *context, int32_t sequence, int32_t position, const float *logits, size_t n);
  /* What a role has done so far; about once a second. */
  void (*take_report)(void *context, const atl_report_t *report);
  /* Gets the score that a candidate of the prompt must reach to be kept; false while none is known. */
  bool (*find_threshold)(void *context, int32_t prompt, float *threshold);
} atl_schedule_events_t;

typedef struct atl_schedule atl_schedule_t;

/* image_length: tokens of a token grid. peers: is told of every sender. Copies events; borrows everything else for its
 * life. MEMORY. Caller owns. */
atl_status_t atl_schedule_new(const atl_job_t *job, const atl_plan_t *plan, int32_t image_length,
                              atl_traffic_t *traffic, const atl_schedule_events_t *events, atl_peers_t *peers,
                              atl_schedule_t **schedule);
void atl_schedule_destroy(atl_schedule_t **schedule);
/* Receives and dispatches the messages that have arrived. After the last result, tells every rank to stop. */
atl_status_t atl_schedule_poll(atl_schedule_t *schedule, bool *did_work);
/* Tells every rank to stop now, complete or not. */
atl_status_t atl_schedule_stop(atl_schedule_t *schedule);
int64_t atl_schedule_n_waiting(const atl_schedule_t *schedule); /* token grids that no decoder has */
bool atl_schedule_is_complete(const atl_schedule_t *schedule);  /* whether all results have come */

#endif
