// TEST np=1
/* Linear layers: every backend this processor has, names, refusals. */
#include "tests/support/linear_cases.h"

static const atl_backend_t the_backends[] = {ATL_BACKEND_PLAIN, ATL_BACKEND_AVX2,     ATL_BACKEND_AVX512,
                                             ATL_BACKEND_AMX,   ATL_BACKEND_OPENBLAS, ATL_BACKEND_ONEDNN};
enum { N_BACKENDS = sizeof the_backends / sizeof the_backends[0] };

static void test_refusals(void) {
  float weight[6] = {0};
  atl_linear_t *linear;
  atl_linear_spec_t spec = {.weight = weight, .n_out = 3, .n_in = 2, .dtype = ATL_F32};
  spec.activation = ATL_ACTIVATION_GEGLU;
  TAP_STATUS(ATL_INPUT, atl_linear_new(&spec, &linear), "GEGLU with an odd number of rows is refused");
  spec.activation = ATL_ACTIVATION_NONE;
  spec.dtype = ATL_I32;
  TAP_STATUS(ATL_UNSUPPORTED, atl_linear_new(&spec, &linear), "weights are fp32 or bf16");
  spec.dtype = ATL_F32;
  for (int n = 1; n <= 3; n++) {
    atl_memory_fail_after(n);
    TAP_STATUS(ATL_MEMORY, atl_linear_new(&spec, &linear), "running out of memory is a failure, not a crash");
    TAP_OK(linear == NULL, "and leaves nothing");
  }
  atl_memory_fail_after(0);
}

static void test_names(void) {
  atl_backend_t backend;
  bool is_round_trip = true;
  for (int i = 0; i < N_BACKENDS; i++)
    if (atl_backend_find(atl_backend_name(the_backends[i]), &backend) != ATL_OK || backend != the_backends[i])
      is_round_trip = false;
  TAP_OK(is_round_trip, "names lead back to backends");
  TAP_STATUS(ATL_USAGE, atl_backend_find("gpu", &backend), "an unknown backend is refused");
}

int main(void) {
  test_names();
  test_refusals();
  for (int i = 0; i < N_BACKENDS; i++) {
    test_backend(the_backends[i], ATL_F32);
    test_backend(the_backends[i], ATL_BF16);
  }
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is given back");
  return tap_done();
}
