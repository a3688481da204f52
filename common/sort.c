#include "common/sort.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void atl_sort_doubles(double *x, size_t n) { qsort(x, n, sizeof *x, compare); }

double atl_sort_median(double *x, size_t n) {
  if (n == 0) return 0;
  atl_sort_doubles(x, n);
  return (x[(n - 1) / 2] + x[n / 2]) / 2;
}
