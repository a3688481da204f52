#include "common/timer.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

double atl_timer_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *atl_timer_stamp(char text[32]) {
  time_t now = time(NULL);
  struct tm parts;
  gmtime_r(&now, &parts);
  strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

const char *atl_timer_format(double seconds, char text[32]) {
  if (!(seconds >= 0 && seconds < 1e9)) {
    snprintf(text, 32, "unknown");
    return text;
  }
  long whole = lround(seconds);
  if (seconds < 9.95)
    snprintf(text, 32, "%.1f s", seconds);
  else if (whole < 60)
    snprintf(text, 32, "%ld s", whole);
  else if (whole < 3600)
    snprintf(text, 32, "%ld min %02ld s", whole / 60, whole % 60);
  else if (whole < 86400)
    snprintf(text, 32, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
  else
    snprintf(text, 32, "%ld d %02ld h", whole / 86400, whole / 3600 % 24);
  return text;
}
