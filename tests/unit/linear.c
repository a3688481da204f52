// TEST np=1
/* Linear layers: every backend of the registry that this processor has, and invalid specifications. */
#include "tests/support/linear_cases.h"

static void test_refusals(void) {
  float weight[6] = {0};
  atl_linear_t *linear;
  atl_linear_spec_t spec = {.weight = weight, .n_out = 3, .n_in = 2, .dtype = ATL_F32};
  spec.activation = ATL_ACTIVATION_GEGLU;
  TAP_STATUS(ATL_INPUT, atl_linear_new(&spec, &linear), "GEGLU with an odd number of rows is refused");
  spec.activation = ATL_ACTIVATION_NONE;
  spec.dtype = ATL_I32;
  TAP_STATUS(ATL_UNSUPPORTED, atl_linear_new(&spec, &linear), "int32 weights are refused");
  spec.dtype = ATL_F32;
  for (int n = 1; n <= 3; n++) {
    atl_memory_fail_after(n);
    TAP_STATUS(ATL_MEMORY, atl_linear_new(&spec, &linear), "running out of memory returns MEMORY");
    TAP_OK(linear == NULL, "a layer that ran out of memory is NULL");
  }
  atl_memory_fail_after(0);
}

int main(void) {
  test_refusals();
  for (int b = ATL_BACKEND_AUTO; b < ATL_N_BACKENDS; b++) {
    test_backend((atl_backend_t)b, ATL_F32);
    test_backend((atl_backend_t)b, ATL_BF16);
  }
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
