/* A line is formatted in one buffer and written with one call, so lines of several ranks do not interleave. */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/utf8.h"

static struct {
  atl_log_level_t level;
  int rank;
  char role[32]; /* empty: none */
} log_state = {ATL_LOG_INFO, 0, ""};

void atl_log_set_level(atl_log_level_t level) { log_state.level = level; }

void atl_log_set_speaker(int rank, const char *role) {
  log_state.rank = rank;
  snprintf(log_state.role, sizeof log_state.role, "%s", role != NULL ? role : "");
}

void atl_log_print(atl_log_level_t level, int root_only, const char *format, ...) {
  static const char *const names[] = {"error", "warn", "info", "debug"};
  if (level > log_state.level || (root_only && log_state.rank != 0)) return;
  time_t now = time(NULL);
  struct tm local;
  localtime_r(&now, &local);
  char line[4096];
  size_t used = strftime(line, sizeof line, "[%H:%M:%S", &local);
  used += (size_t)snprintf(line + used, sizeof line - used, " r%d %s%s%s] ", log_state.rank, log_state.role,
                           log_state.role[0] != '\0' ? " " : "", names[level]);
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
  va_end(arguments);
  if (length > 0) used += (size_t)length;
  line[used < sizeof line - 2 ? used : sizeof line - 2] = '\0';
  atl_utf8_clean(line, true);
  used = strlen(line);
  line[used] = '\n';
  fwrite(line, 1, used + 1, stderr);
}
