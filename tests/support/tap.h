/* TAP for tests. A test is a small program named after the module or promise it checks. Its first line says how
 * tests/run launches it, as in "// TEST np=1,2,4 args=--tiny" (default np=1, without mpirun). It prints TAP; the exit
 * code is 0 if all checks passed, else 1.
 *
 *     int main(void) {
 *       TAP_OK(2 + 2 == 4, "2 + 2 is 4");
 *       TAP_STATUS(ATL_OK, atl_model_open(path, &model), "the model opens");
 *       TAP_CLOSE(got, want, n, 1e-5, "features agree");          -- |got - want| <= 1e-5 everywhere; NaN fails
 *       return tap_done();
 *     }
 *
 * TAP_SKIP("reason") prints a skipped check. Checks do not depend on NDEBUG, and return whether they passed.
 */
#ifndef ATL_TESTS_SUPPORT_TAP_H
#define ATL_TESTS_SUPPORT_TAP_H

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/status.h"

static int tap_n, tap_n_failed;

static inline int tap_check(int is_ok, const char *name, const char *file, int line) {
  tap_n++;
  if (!is_ok) tap_n_failed++;
  printf("%sok %d - %s\n", is_ok ? "" : "not ", tap_n, name);
  if (!is_ok) printf("# failed at %s:%d\n", file, line);
  fflush(stdout);
  return is_ok;
}

static inline int tap_status(atl_status_t want, atl_status_t got, const char *name, const char *file, int line) {
  int is_ok = tap_check(want == got, name, file, line);
  if (!is_ok) printf("# wanted %s, got %s: %s\n", atl_status_name(want), atl_status_name(got), atl_status_message());
  return is_ok;
}

static inline int tap_close(const float *got, const float *want, size_t n, double tolerance, const char *name,
                            const char *file, int line) {
  double worst = 0;
  size_t n_over = 0;
  for (size_t i = 0; i < n; i++) {
    double difference = fabs((double)got[i] - (double)want[i]);
    if (!(difference <= tolerance)) {
      if (n_over++ < 5) printf("# [%zu] got %.9g, want %.9g\n", i, (double)got[i], (double)want[i]);
    }
    if (!(difference <= worst)) worst = difference;
  }
  int is_ok = tap_check(n_over == 0, name, file, line);
  printf("# largest difference %.3g of %zu, tolerance %.3g, %zu outside\n", worst, n, tolerance, n_over);
  return is_ok;
}

static inline void tap_skip(const char *reason) { printf("ok %d # SKIP %s\n", ++tap_n, reason); }

static inline int tap_done(void) {
  printf("1..%d\n", tap_n);
  return tap_n_failed != 0;
}

#define TAP_OK(condition, name) tap_check((condition) ? 1 : 0, name, __FILE__, __LINE__)
#define TAP_STATUS(want, call, name) tap_status(want, call, name, __FILE__, __LINE__)
#define TAP_CLOSE(got, want, n, tolerance, name) tap_close(got, want, (size_t)(n), tolerance, name, __FILE__, __LINE__)
#define TAP_SKIP(reason) tap_skip(reason)

#endif
