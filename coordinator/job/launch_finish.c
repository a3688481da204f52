/* The end of a run: rank 0 gathers every role's report and summarises them. */
#include "common/memory.h"
#include "common/resident.h"
#include "common/timer.h"
#include "coordinator/job/launch_private.h"

static int get_reports(const atl_launch_t *l, atl_report_t reports[ATL_MAX_ROLES_PER_RANK]) {
  int n = l->worker_ops->get_reports(l->worker, reports);
  if (l->is_root)
    reports[n++] = (atl_report_t){.role = {.kind = ATL_ROLE_COORDINATOR},
                                  .busy = l->coordinating,
                                  .peak_bytes = atl_memory_peak_bytes(),
                                  .resident_bytes = atl_resident_peak_bytes()};
  return n;
}

static atl_status_t pack_reports(const atl_launch_t *l, atl_buffer_t *buffer) {
  atl_report_t reports[ATL_MAX_ROLES_PER_RANK];
  int n = get_reports(l, reports);
  return atl_wire_pack_reports(&(atl_reports_t){reports, n}, buffer);
}

/* Unpacks the reports of all ranks, whose messages lie in rank order, into reports (n_ranks * ATL_MAX_ROLES_PER_RANK).
 */
static atl_status_t unpack_reports(atl_launch_t *l, const char *bytes, const size_t *offsets, atl_report_t *reports,
                                   int32_t *n) {
  for (int32_t rank = 0; rank < l->plan.n_ranks; rank++) {
    atl_reports_t some;
    ATL_TRY(atl_wire_unpack_reports(bytes + offsets[rank], offsets[rank + 1] - offsets[rank], &l->arena, &some));
    for (int32_t i = 0; i < some.n_reports; i++) reports[(*n)++] = some.reports[i];
  }
  return ATL_OK;
}

static atl_status_t summarise(atl_launch_t *l, double seconds, const char *bytes, const size_t *offsets) {
  atl_report_t *reports;
  int32_t n = 0;
  ATL_TRY(ATL_TAKE(&l->arena, (int64_t)ATL_MAX_ROLES_PER_RANK * l->plan.n_ranks, &reports));
  ATL_TRY(unpack_reports(l, bytes, offsets, reports, &n));
  atl_run_summary_t summary = {
      .seconds = seconds,
      .is_stopped = !atl_schedule_is_complete(l->schedule),
      .setup_seconds = l->loaded - l->started,
      .n_drawn = atl_config_image_length(&l->model->transformer_config) - l->job.n_prime,
      .n_cores = l->host.n_cores,
      .is_sharing_cores = l->host.is_sharing_cores,
      .plan = &l->plan,
      .reports = reports,
      .n_reports = n,
  };
  for (int32_t i = 0; i < l->job.n_prompts; i++) summary.n_images += l->job.prompts[i].n_samples;
  return l->task->finish(l->task->context, &summary);
}

atl_status_t atl_launch_finish(atl_launch_t *l) {
  double seconds = atl_timer_now() - l->loaded;
  atl_buffer_t mine = {0};
  char *all = NULL;
  size_t *offsets = NULL;
  atl_status_t status = atl_comm_agree(l->world, pack_reports(l, &mine));
  if (status == ATL_OK) status = atl_comm_gather(l->world, 0, mine.bytes, mine.n, &all, &offsets);
  if (status == ATL_OK && l->is_root) status = summarise(l, seconds, all, offsets);
  atl_buffer_clear(&mine);
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  return atl_comm_agree(l->world, status);
}
