// TEST np=1
/* Log lines on stderr: rank, role and level, and the levels that are printed. */
#include "common/log.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/support/tap.h"

static char log_lines[4096];

/* Between begin and end, stderr goes to a file, which end reads into log_lines. */
static int begin(FILE **file) {
  fflush(stderr);
  int kept = dup(STDERR_FILENO);
  *file = tmpfile();
  dup2(fileno(*file), STDERR_FILENO);
  return kept;
}
static void end(int kept, FILE *file) {
  dup2(kept, STDERR_FILENO);
  close(kept);
  rewind(file);
  log_lines[fread(log_lines, 1, sizeof log_lines - 1, file)] = '\0';
  fclose(file);
}

int main(void) {
  FILE *file;
  int kept = begin(&file);
  ATL_LOG(DEBUG, "quiet");
  ATL_LOG(INFO, "first");
  end(kept, file);
  TAP_OK(strstr(log_lines, "quiet") == NULL, "debug lines are not printed by default");
  TAP_OK(strstr(log_lines, " r0 info] first\n") != NULL, "a line without a role names rank and level");

  char role[] = "stage 0.1";
  kept = begin(&file);
  atl_log_set_speaker(3, role);
  role[0] = 'x';
  atl_log_set_level(ATL_LOG_DEBUG);
  ATL_LOG(DEBUG, "loud");
  ATL_LOG_ROOT(INFO, "root");
  end(kept, file);
  TAP_OK(strstr(log_lines, " r3 stage 0.1 debug] loud\n") != NULL, "a line names rank, role and level");
  TAP_OK(strstr(log_lines, "root") == NULL, "a line for rank 0 is not printed by rank 3");
  return tap_done();
}
