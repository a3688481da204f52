/* a' = a cos - b sin, b' = b cos + a sin for a pair of channels (a, b). Cosines are computed in double: an image
 * token's language angle is 8192 f, where fp32 argument reduction would differ between libraries. */
#include "model/kernels/attention/rotary.h"

#include <math.h>

#include "model/kernels/lanes.h"

int32_t atl_rotary_width(int32_t head_size) { return 6 * (head_size / 3 / 2); }

size_t atl_rotary_bytes(int32_t n_positions, int32_t head_size) {
  return 2 * sizeof(float) * (size_t)n_positions * (size_t)head_size;
}

/* The factors of one position; channels from `width` (R) on get cosine 1 and sine 0 and stay unchanged. */
static void fill(float *cosine, float *sine, const float *angles, int32_t width, int32_t head_size) {
  for (int32_t i = 0; i < head_size; i++) {
    cosine[i] = i < width ? (float)cos((double)angles[i]) : 1;
    sine[i] = i >= width ? 0 : i % 2 == 0 ? -(float)sin((double)angles[i]) : (float)sin((double)angles[i]);
  }
}

atl_status_t atl_rotary_init(atl_rotary_t *rotary, const float *angles, int32_t n_positions, int32_t head_size,
                             atl_arena_t *arena) {
  int32_t width = atl_rotary_width(head_size);
  float *cosine, *sine;
  *rotary = (atl_rotary_t){.head_size = head_size};
  if (angles == NULL) return ATL_OK;
  ATL_TRY(ATL_TAKE(arena, (int64_t)n_positions * head_size, &cosine));
  ATL_TRY(ATL_TAKE(arena, (int64_t)n_positions * head_size, &sine));
  for (int64_t p = 0; p < n_positions; p++)
    fill(cosine + p * head_size, sine + p * head_size, angles + p * width, width, head_size);
  rotary->cosine = cosine;
  rotary->sine = sine;
  return ATL_OK;
}

ATL_LANES_INLINE atl_lanes_t rotate(atl_lanes_t x, atl_lanes_t cosine, atl_lanes_t sine, float scale) {
  return (x * cosine + LANES_DOWN_1(x) * sine) * scale;
}

ATL_LANES_CLONES static void rotate_head(float *x, const float *cosine, const float *sine, int64_t n, float scale) {
  int64_t i = 0;
  for (; i + ATL_LANES <= n; i += ATL_LANES)
    lanes_store(x + i, rotate(lanes_load(x + i), lanes_load(cosine + i), lanes_load(sine + i), scale));
  if (i == n) return;
  atl_lanes_t tail = lanes_load_tail(x + i, n - i, 0), c = lanes_load_tail(cosine + i, n - i, 0);
  lanes_store_tail(x + i, rotate(tail, c, lanes_load_tail(sine + i, n - i, 0), scale), n - i);
}

void atl_rotary_apply(const atl_rotary_t *rotary, float *x, int32_t position, float scale) {
  int64_t n = rotary->head_size;
  if (rotary->cosine != NULL) {
    rotate_head(x, rotary->cosine + position * n, rotary->sine + position * n, n, scale);
    return;
  }
  for (int64_t i = 0; i < n; i++) x[i] *= scale;
}
