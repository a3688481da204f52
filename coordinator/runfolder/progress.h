/* Progress: how far a run has come, on stderr: a line with a bar that is redrawn on a terminal, otherwise a new line
 * every few seconds. update is cheap: it prints only when a line is due. Local.
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
  double busy;      /* busy share of the time, 0 to 1 */
} atl_progress_share_t;

typedef struct {
  int64_t n_total, n_done;
  double start, printed; /* seconds of common/timer; printed < 0: no line yet */
  double first_done;     /* when the first images were done, and how many: the rate excludes filling the pipeline */
  int64_t n_first;
  bool is_quiet, is_terminal;
  size_t n_shown; /* characters of the last line on the terminal */
} atl_progress_t;

void atl_progress_init(atl_progress_t *progress, int64_t n_total, bool is_quiet);
/* shares: busy share of each role; n_shares may be 0. */
void atl_progress_update(atl_progress_t *progress, int64_t n_done, const atl_progress_share_t *shares, int n_shares);
/* Prints the final state and ends the line. */
void atl_progress_finish(atl_progress_t *progress);

/* Formats the line, " 37/512 images 1.9/s ETA 4 min 10 s busy: stages 93% decoders 41%", with a bar in front when
 * bar_width > 0, into text; returns text. rate: images/s, 0 when unknown. */
const char *atl_progress_format(int64_t n_done, int64_t n_total, double rate, const atl_progress_share_t *shares,
                                int n_shares, int bar_width, char *text, size_t text_bytes);

#endif
