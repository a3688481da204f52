// TEST np=1
// Rotary positions against double arithmetic, for head sizes that fill whole vectors and sizes that do not.
#include "model/kernels/attention/rotary.h"

#include "common/memory.h"
#include "tests/support/tap.h"

enum { N_POSITIONS = 3, MAX_SIZE = 80 };

static void test_size(int32_t size) {
  atl_arena_t arena = {0};
  atl_rotary_t rotary;
  int32_t width = atl_rotary_width(size);
  float angles[N_POSITIONS * MAX_SIZE], x[MAX_SIZE], want[MAX_SIZE];
  const float scale = 0.25f;
  for (int32_t i = 0; i < N_POSITIONS * width; i++) angles[i] = 0.37f * (float)(i / 2) - 5;
  for (int32_t i = 0; i < size; i++) x[i] = (float)(i * 7 % 11) - 5;
  TAP_STATUS(ATL_OK, atl_rotary_init(&rotary, angles, N_POSITIONS, size, &arena), "factors are computed from angles");
  for (int32_t i = 0; i < size; i++) {
    double angle = i < width ? (double)angles[2 * width + i] : 0, other = i % 2 ? (double)x[i - 1] : -(double)x[i + 1];
    want[i] = (float)(((double)x[i] * cos(angle) + (i < width ? other * sin(angle) : 0)) * (double)scale);
  }
  atl_rotary_apply(&rotary, x, 2, scale);
  TAP_CLOSE(x, want, size, 1e-6, "a head is rotated and scaled"); /* two roundings of values up to 2 */
  atl_arena_clear(&arena);
}

int main(void) {
  const int32_t sizes[] = {64, 16, 32, 80, 20, 10, 6};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) test_size(sizes[i]);
  atl_arena_t arena = {0};
  atl_rotary_t none;
  float x[3] = {1, -2, 3};
  TAP_STATUS(ATL_OK, atl_rotary_init(&none, NULL, N_POSITIONS, 3, &arena), "init without angles");
  atl_rotary_apply(&none, x, 1, 2);
  TAP_OK(x[0] == 2 && x[1] == -4 && x[2] == 6, "without angles a head is only scaled");
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is freed");
  return tap_done();
}
