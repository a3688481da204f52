/* Progress: how far a run is, on one line of stderr: a bar that is drawn over on a terminal, a line every few seconds
 * elsewhere. Call update as often as you like; it prints when it is time.
 *
 *     atl_progress_t progress;
 *     atl_progress_init(&progress, n_images, is_quiet);
 *     atl_progress_update(&progress, n_done, shares, n_shares);
 *     atl_progress_finish(&progress);
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_PROGRESS_H
#define ATL_COORDINATOR_RUNFOLDER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *role; /* "stages" */
  double busy;      /* share of the time, 0 to 1 */
} atl_progress_share_t;

typedef struct {
  int64_t n_total, n_done;
  double start, printed; /* seconds of common/timer; printed < 0: nothing yet */
  double first_done;     /* when the first image was done, and how many then: the rate leaves the ring's filling out */
  int64_t n_first;
  bool is_quiet, is_terminal;
  size_t n_shown; /* characters on the terminal's line */
} atl_progress_t;

void atl_progress_init(atl_progress_t *progress, int64_t n_total, bool is_quiet);
/* shares: busy share per role, none is fine. */
void atl_progress_update(atl_progress_t *progress, int64_t n_done, const atl_progress_share_t *shares, int n_shares);
/* The last state, and the end of the line. */
void atl_progress_finish(atl_progress_t *progress);

/* The line itself, "  37/512 images  1.9/s  ETA 4 min 10 s  stages 93% decoders 41%", with a bar in front when
 * bar_width > 0, into text; returns text. `rate` images a second, 0 when not known. */
const char *atl_progress_format(int64_t n_done, int64_t n_total, double rate, const atl_progress_share_t *shares,
                                int n_shares, int bar_width, char *text, size_t text_bytes);

#endif
