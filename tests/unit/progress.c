// TEST np=1
#include "coordinator/runfolder/progress.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/support/tap.h"

static char the_text[512];

static int reads(int64_t n_done, double rate, int bar_width, const char *want) {
  static const atl_progress_share_t shares[] = {{"stages", 0.934}, {"decoders", 0.41}};
  atl_progress_format(n_done, 512, rate, shares, 2, bar_width, the_text, sizeof the_text);
  if (strcmp(the_text, want) != 0) printf("# %s\n", the_text);
  return strcmp(the_text, want) == 0;
}

/* What a whole run of n images writes to stderr, which is a file here. */
static size_t run_into_file(bool is_quiet) {
  char path[] = "/tmp/atelier-progress-XXXXXX";
  int file = mkstemp(path), stderr_copy = dup(STDERR_FILENO);
  dup2(file, STDERR_FILENO);
  atl_progress_t progress;
  atl_progress_init(&progress, 20, is_quiet);
  for (int i = 0; i <= 20; i++) atl_progress_update(&progress, i, NULL, 0);
  atl_progress_finish(&progress);
  dup2(stderr_copy, STDERR_FILENO);
  close(stderr_copy);
  ssize_t n = pread(file, the_text, sizeof the_text - 1, 0);
  the_text[n > 0 ? n : 0] = 0;
  close(file);
  unlink(path);
  return strlen(the_text);
}

int main(void) {
  TAP_OK(reads(0, 0, 0, "0/512 images  busy: stages 93% decoders 41%"), "no rate before the first image");
  TAP_OK(reads(37, 1.9, 0, "37/512 images  1.90/s  ETA 4 min 10 s  busy: stages 93% decoders 41%"),
         "rate and time left");
  TAP_OK(reads(512, 40, 0, "512/512 images  40/s  busy: stages 93% decoders 41%"), "nothing is left at the end");
  TAP_OK(reads(256, 0, 8, "[====>   ] 256/512 images  busy: stages 93% decoders 41%"), "a bar half full");
  TAP_OK(reads(512, 0, 4, "[====] 512/512 images  busy: stages 93% decoders 41%"), "a full bar");
  char small[16];
  TAP_OK(strcmp(atl_progress_format(1, 2, 1, NULL, 0, 0, small, sizeof small), "1/2 images  1.0") == 0,
         "cut to its room");
  TAP_OK(atl_progress_format(0, 0, 0, NULL, 0, 4, small, sizeof small)[1] == '=', "a job of nothing is done");
  size_t n = run_into_file(false);
  TAP_OK(n > 0 && strncmp(the_text, "20/20 images", 12) == 0 && the_text[n - 1] == '\n' && !strchr(the_text, '\r'),
         "a file gets whole lines");
  TAP_OK(run_into_file(true) == 0, "quiet is quiet");
  return tap_done();
}
