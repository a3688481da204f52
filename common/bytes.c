#include "common/bytes.h"

#include <stdio.h>

const char *atl_bytes_format(int64_t n_bytes, char text[32]) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  enum { N_UNITS = sizeof units / sizeof *units };
  double amount = (double)n_bytes;
  int i = 0;
  for (; i + 1 < N_UNITS && amount >= 1024; i++) amount /= 1024;
  snprintf(text, 32, i == 0 ? "%.0f %s" : "%.1f %s", amount, units[i]);
  return text;
}
