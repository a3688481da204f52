/* Schedule: the coordinator's part of a running job. It hands candidates to pipelines and finished grids to decoders as
 * they ask, and passes every result on to whoever runs the job (generate, probe) through its events.
 *
 *   first stages --ask--> [candidates left] --assignment-->        last stages --grids--> [grids waiting]
 *   decoders --ask--> [grids waiting] --grids-->                   decoders --record--> events
 *
 * The order in which work is handed out decides no result. On the coordinator's rank only; local but for messages.
 */
#ifndef ATL_COORDINATOR_JOB_SCHEDULE_H
#define ATL_COORDINATOR_JOB_SCHEDULE_H

#include "coordinator/job/peers.h"
#include "partition/plan.h"
#include "partition/traffic.h"
#include "proto/wire.h"

/* What happens with results. A NULL event is not expected; the job is done after n_results of the last kind it has. */
typedef struct {
  void *context;
  int64_t n_results; /* records, or grids when take_record is NULL, or logits when both are */
  atl_status_t (*take_grid)(void *context, const atl_grid_t *grid);
  atl_status_t (*take_record)(void *context, const atl_record_t *record);
  atl_status_t (*take_logits)(void *context, int32_t sequence, int32_t position, const float *logits, size_t n);
  /* What a role has done so far; every second or so. May be NULL. */
  void (*take_report)(void *context, const atl_report_t *report);
  /* The score a candidate of the prompt must reach to be worth writing, when one is known. May be NULL. */
  bool (*find_threshold)(void *context, int32_t prompt, float *threshold);
} atl_schedule_events_t;

typedef struct atl_schedule atl_schedule_t;

/* image_length: codes of a grid. peers: told of every sender. Borrows everything for its life. MEMORY. Caller owns. */
atl_status_t atl_schedule_new(const atl_job_t *job, const atl_plan_t *plan, int32_t image_length,
                              atl_traffic_t *traffic, const atl_schedule_events_t *events, atl_peers_t *peers,
                              atl_schedule_t **schedule);
void atl_schedule_destroy(atl_schedule_t **schedule);
/* Reads and answers what came. When the last result is in, tells every rank to stop. */
atl_status_t atl_schedule_poll(atl_schedule_t *schedule, bool *did_work);
/* Tells every rank to stop now, results or not. */
atl_status_t atl_schedule_stop(atl_schedule_t *schedule);
int64_t atl_schedule_n_waiting(const atl_schedule_t *schedule); /* grids that no decoder has */
bool atl_schedule_is_complete(const atl_schedule_t *schedule);  /* have all results come? */

#endif
