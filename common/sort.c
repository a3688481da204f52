#include "common/sort.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void atl_sort_doubles(double *x, size_t n) { qsort(x, n, sizeof *x, compare); }
