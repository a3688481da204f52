#include "common/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The file is "pid (name) state ppid ...". The name may contain spaces and parentheses, so fields are counted from the
 * last ')'. */
int64_t atl_process_start(int64_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t n = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[n] = '\0';
  char *next = strrchr(text, ')'), state;
  int64_t start;
  if (next == NULL || sscanf(next + 1, " %c", &state) != 1 || state == 'Z' || state == 'X') return 0;
  for (int field = 2; field < 22 && next != NULL; field++) next = strchr(next + 1, ' ');
  return next != NULL && sscanf(next, "%" SCNd64, &start) == 1 ? start : 0;
}

const char *atl_process_host(char name[ATL_HOST_BYTES]) {
  if (gethostname(name, ATL_HOST_BYTES) != 0 || name[0] == '\0') memcpy(name, "?", 2);
  name[ATL_HOST_BYTES - 1] = '\0';
  return name;
}
