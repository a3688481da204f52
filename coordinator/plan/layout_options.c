#include "coordinator/plan/layout_options.h"

atl_status_t atl_layout_options_check(const atl_layout_options_t *options, const char *plan_path) {
  const struct {
    const char *name;
    int64_t value;
  } counts[] = {{"stages", options->stages},
                {"pipelines", options->pipelines},
                {"decoders", options->decoders},
                {"slots", options->slots},
                {"microbatch", options->microbatch}};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    ATL_CHECK(counts[i].value >= 0 && counts[i].value <= INT32_MAX, USAGE,
              "--%s %lld: expected a count, or 0 to let atelier decide", counts[i].name, (long long)counts[i].value);
    ATL_CHECK(plan_path == NULL || counts[i].value == 0, USAGE,
              "--plan %s says who does what; leave out --%s, or the plan", plan_path, counts[i].name);
  }
  return ATL_OK;
}
