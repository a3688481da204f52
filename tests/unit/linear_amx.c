// TEST np=1
/* The AMX kernel through an emulation of its instructions, on any processor. This file's copy of the kernel replaces
 * the library's. */
#define ATL_AMX_EMULATION "tests/support/amx_emulation.h"
#include "model/kernels/linear/amx.c"

#include "tests/support/linear_cases.h"

int main(void) {
  test_backend(ATL_BACKEND_AMX, ATL_BF16);
  TAP_OK(!atl_backend_is_available(ATL_BACKEND_AMX, ATL_F32), "AMX has no fp32 linear layers");
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
