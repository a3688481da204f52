#include "common/sampling.h"

#include <float.h>
#include <math.h>

atl_status_t atl_sampling_check(const atl_sampling_t *s) {
  ATL_CHECK(isfinite(s->guidance), USAGE, "guidance %g: expected a finite number; 1 turns guidance off", s->guidance);
  if (s->greedy) return ATL_OK;
  ATL_CHECK(isfinite(s->temperature) && s->temperature >= (double)FLT_MIN, USAGE,
            "temperature %g: expected a finite number of at least %.3g; use greedy for the most likely tokens",
            s->temperature, (double)FLT_MIN);
  ATL_CHECK(s->top_k >= 0, USAGE, "top-k %d: expected 1 or more, or 0 for all", s->top_k);
  ATL_CHECK(s->top_p > 0 && s->top_p <= 1, USAGE, "top-p %g: expected a number above 0 and up to 1", s->top_p);
  ATL_CHECK(s->filter_thres < 1, USAGE,
            "filter-thres %g: expected a fraction from 0 up to, but not including, 1; a negative number turns it off",
            s->filter_thres);
  return ATL_OK;
}
