/* Sort: numbers in order, for medians and for what leaves out extremes. */
#ifndef ATL_COMMON_SORT_H
#define ATL_COMMON_SORT_H

#include <stddef.h>

/* x(n), the smallest first. */
void atl_sort_doubles(double *x, size_t n);
/* The median of x(n), which it sorts: the mean of the two in the middle when n is even; 0 when n is 0. */
double atl_sort_median(double *x, size_t n);

#endif
