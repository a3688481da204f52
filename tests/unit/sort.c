// TEST np=1
// Numbers come out in order, equal ones and none included.
#include "common/sort.h"

#include "tests/support/tap.h"

int main(void) {
  double x[] = {3, -1, 2.5, 2.5, -INFINITY, 1e300};
  const double want[] = {-INFINITY, -1, 2.5, 2.5, 3, 1e300};
  atl_sort_doubles(x, sizeof x / sizeof *x);
  TAP_OK(memcmp(x, want, sizeof x) == 0, "the least first");
  atl_sort_doubles(x, 0);
  TAP_OK(memcmp(x, want, sizeof x) == 0, "nothing to sort");
  return tap_done();
}
