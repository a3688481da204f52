/* Sort: numbers in order, for medians and for what leaves out extremes. */
#ifndef ATL_COMMON_SORT_H
#define ATL_COMMON_SORT_H

#include <stddef.h>

/* x(n), the least first. */
void atl_sort_doubles(double *x, size_t n);

#endif
