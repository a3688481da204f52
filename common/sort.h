/* Sort: doubles in ascending order, for medians and trimmed means. */
#ifndef ATL_COMMON_SORT_H
#define ATL_COMMON_SORT_H

#include <stddef.h>

/* Sorts x(n) in ascending order; no NaN. */
void atl_sort_doubles(double *x, size_t n);
/* Sorts x(n) and returns its median: the mean of the middle two when n is even, 0 when n is 0. */
double atl_sort_median(double *x, size_t n);

#endif
