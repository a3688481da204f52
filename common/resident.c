#include "common/resident.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t atl_resident_peak_bytes(void) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[128];
  uint64_t n_kib = 0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "VmHWM: %" SCNu64 " kB", &n_kib) == 1) break;
  if (file != NULL) fclose(file);
  return n_kib * 1024;
}

void atl_resident_reset_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file == NULL) return;
  fputs("5", file); /* proc(5): sets VmHWM to the current resident size */
  fclose(file);
}
