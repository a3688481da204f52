// TEST np=1
// Sorting doubles, with equal values and with none, and medians.
#include "common/sort.h"

#include "tests/support/tap.h"

int main(void) {
  double x[] = {3, -1, 2.5, 2.5, -INFINITY, 1e300};
  const double want[] = {-INFINITY, -1, 2.5, 2.5, 3, 1e300};
  atl_sort_doubles(x, sizeof x / sizeof *x);
  TAP_OK(memcmp(x, want, sizeof x) == 0, "sorted in ascending order");
  atl_sort_doubles(x, 0);
  TAP_OK(memcmp(x, want, sizeof x) == 0, "sorting no values changes nothing");
  double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2};
  TAP_OK(atl_sort_median(odd, 3) == 3, "the median of three is the middle one");
  TAP_OK(atl_sort_median(even, 4) == 2.5, "the median of four is the mean of the middle two");
  TAP_OK(atl_sort_median(even, 1) == 1 && atl_sort_median(even, 0) == 0,
         "the median of one number is itself, of none 0");
  return tap_done();
}
