/* The end of a run: every role's report to rank 0, which makes the summary of them. */
#include <string.h>

#include "common/memory.h"
#include "common/resident.h"
#include "common/timer.h"
#include "coordinator/job/launch_private.h"

enum { MAX_ROLES = 3 }; /* of a rank: stage, decoder, coordinator */

static int get_reports(const atl_launch_t *l, atl_report_t reports[MAX_ROLES]) {
  int n = l->roles->get_reports(l->worker, reports);
  if (l->is_root)
    reports[n++] = (atl_report_t){.role = "coordinator",
                                  .busy = l->traffic.coordinating,
                                  .peak_bytes = atl_memory_peak_bytes(),
                                  .resident_bytes = atl_resident_peak_bytes()};
  return n;
}

/* Packed reports of this rank's roles, each preceded by its size. */
static atl_status_t pack_reports(atl_launch_t *l, atl_buffer_t *all) {
  atl_report_t reports[MAX_ROLES];
  atl_buffer_t one = {0};
  int n = get_reports(l, reports);
  atl_status_t status = ATL_OK;
  for (int i = 0; i < n && status == ATL_OK; i++) {
    uint32_t n_bytes;
    status = atl_wire_pack_report(&reports[i], &one);
    if (status == ATL_OK) status = ATL_RESIZE(all->n + one.n + sizeof n_bytes, &all->bytes);
    if (status != ATL_OK) break;
    n_bytes = (uint32_t)one.n;
    memcpy(all->bytes + all->n, &n_bytes, sizeof n_bytes);
    memcpy(all->bytes + all->n + sizeof n_bytes, one.bytes, one.n);
    all->n += one.n + sizeof n_bytes;
  }
  atl_buffer_clear(&one);
  return status;
}

static atl_status_t unpack_reports(atl_launch_t *l, const char *bytes, size_t n_bytes, atl_report_t *reports, int *n) {
  int max = *n;
  *n = 0;
  for (size_t at = 0; at < n_bytes;) {
    uint32_t size;
    ATL_CHECK(*n < max && n_bytes - at >= sizeof size, INTERNAL, "the roles' reports are torn");
    memcpy(&size, bytes + at, sizeof size);
    at += sizeof size;
    ATL_CHECK(size <= n_bytes - at, INTERNAL, "the roles' reports are torn");
    ATL_TRY(atl_wire_unpack_report(bytes + at, size, &l->arena, &reports[(*n)++]));
    at += size;
  }
  return ATL_OK;
}

static atl_status_t summarise(atl_launch_t *l, double seconds, const char *bytes, size_t n_bytes) {
  int n = 2 * l->plan.n_ranks + 1;
  atl_report_t *reports;
  ATL_TRY(ATL_TAKE(&l->arena, n, &reports));
  ATL_TRY(unpack_reports(l, bytes, n_bytes, reports, &n));
  atl_run_summary_t summary = {
      .seconds = seconds,
      .is_stopped = !atl_schedule_is_complete(l->schedule),
      .setup_seconds = l->loaded - l->started,
      .n_drawn = atl_config_image_length(&l->model->transformer_config) - l->job.n_prime,
      .n_cores = l->place.n_cores,
      .is_sharing_cores = l->place.is_sharing_cores,
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
  if (status == ATL_OK && l->is_root) status = summarise(l, seconds, all, offsets[l->plan.n_ranks]);
  atl_buffer_clear(&mine);
  ATL_DESTROY(&all);
  ATL_DESTROY(&offsets);
  return atl_comm_agree(l->world, status);
}
