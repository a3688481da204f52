#include "coordinator/runfolder/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/timer.h"

enum { LINE_BYTES = 512, BAR_WIDTH = 24 };
static const double terminal_interval = 0.2, log_interval = 5; /* seconds between lines */

void atl_progress_init(atl_progress_t *progress, int64_t n_total, bool is_quiet) {
  *progress = (atl_progress_t){.n_total = n_total,
                               .start = atl_timer_now(),
                               .printed = -1,
                               .is_quiet = is_quiet,
                               .is_terminal = isatty(STDERR_FILENO) == 1};
}

/* Images/s since the first ones were done, so that loading and filling the pipeline do not count; since the start until
 * more than those are done. */
static double get_rate(const atl_progress_t *progress, double now) {
  int64_t n = progress->n_done - progress->n_first;
  double seconds = now - progress->first_done;
  if (n <= 0) n = progress->n_done, seconds = now - progress->start;
  return n > 0 && seconds > 0 ? (double)n / seconds : 0;
}

__attribute__((format(printf, 4, 5))) static size_t append(char *text, size_t text_bytes, size_t n, const char *format,
                                                           ...) {
  va_list arguments;
  va_start(arguments, format);
  int more = vsnprintf(text + n, text_bytes - n, format, arguments);
  va_end(arguments);
  if (more < 0) return n;
  return n + (size_t)more < text_bytes ? n + (size_t)more : text_bytes - 1;
}

static size_t append_bar(char *text, size_t text_bytes, double share, int width) {
  int n_full = (int)(share * width);
  size_t n = append(text, text_bytes, 0, "[");
  for (int i = 0; i < width; i++) n = append(text, text_bytes, n, i < n_full ? "=" : i == n_full ? ">" : " ");
  return append(text, text_bytes, n, "] ");
}

const char *atl_progress_format(int64_t n_done, int64_t n_total, double rate, const atl_progress_share_t *shares,
                                int n_shares, int bar_width, char *text, size_t text_bytes) {
  double share = n_total > 0 ? (double)n_done / (double)n_total : 1;
  char left[32];
  size_t n = 0;
  text[0] = 0;
  if (bar_width > 0) n = append_bar(text, text_bytes, share, bar_width);
  n = append(text, text_bytes, n, "%lld/%lld images", (long long)n_done, (long long)n_total);
  if (rate > 0) n = append(text, text_bytes, n, rate < 10 ? "  %.2f/s" : "  %.0f/s", rate);
  if (rate > 0 && n_done < n_total)
    n = append(text, text_bytes, n, "  ETA %s", atl_timer_format((double)(n_total - n_done) / rate, left));
  for (int i = 0; i < n_shares; i++)
    n = append(text, text_bytes, n, "%s%s %.0f%%", i ? " " : "  busy: ", shares[i].role, 100 * shares[i].busy);
  return text;
}

/* Columns of the terminal that stderr is connected to. */
static size_t get_width(void) {
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void print(atl_progress_t *progress, const atl_progress_share_t *shares, int n_shares, double now) {
  char line[LINE_BYTES];
  atl_progress_format(progress->n_done, progress->n_total, get_rate(progress, now), shares, n_shares,
                      progress->is_terminal ? BAR_WIDTH : 0, line, sizeof line);
  if (progress->is_terminal) {
    size_t width = get_width() - 1, n = strlen(line) < width ? strlen(line) : width;
    size_t n_old = progress->n_shown > n ? progress->n_shown - n : 0; /* left over from a longer line */
    fprintf(stderr, "\r%.*s%*s", (int)n, line, (int)n_old, "");
    progress->n_shown = n;
  } else {
    fprintf(stderr, "%s\n", line);
  }
  fflush(stderr);
  progress->printed = now;
}

void atl_progress_update(atl_progress_t *progress, int64_t n_done, const atl_progress_share_t *shares, int n_shares) {
  double now = atl_timer_now();
  if (progress->n_first == 0 && n_done > 0) {
    progress->n_first = n_done;
    progress->first_done = now;
  }
  progress->n_done = n_done;
  double since = now - (progress->printed < 0 ? progress->start : progress->printed);
  if (!progress->is_quiet && since >= (progress->is_terminal ? terminal_interval : log_interval))
    print(progress, shares, n_shares, now);
}

void atl_progress_finish(atl_progress_t *progress) {
  if (progress->is_quiet) return;
  print(progress, NULL, 0, atl_timer_now());
  if (progress->is_terminal) fputc('\n', stderr);
}
