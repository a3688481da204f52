/* a' = a cos - b sin, b' = b cos + a sin. Cosines are taken in double: an image token's language angle is 8192 f, where
 * fp32 argument reduction would differ between libraries. */
#include "model/kernels/rotary.h"

#include <math.h>

int32_t atl_rotary_width(int32_t head_size) { return 6 * (head_size / 3 / 2); }

size_t atl_rotary_bytes(int32_t n_positions, int32_t width) {
  return 2 * sizeof(float) * (size_t)n_positions * (size_t)(width / 2);
}

atl_status_t atl_rotary_init(atl_rotary_t *rotary, const float *angles, int32_t n_positions, int32_t width,
                             atl_arena_t *arena) {
  size_t n_pairs = (size_t)n_positions * (size_t)(width / 2);
  float *cosine, *sine;
  ATL_TRY(ATL_TAKE(arena, n_pairs, &cosine));
  ATL_TRY(ATL_TAKE(arena, n_pairs, &sine));
  for (size_t i = 0; i < n_pairs; i++) {
    cosine[i] = (float)cos((double)angles[2 * i]);
    sine[i] = (float)sin((double)angles[2 * i]);
  }
  *rotary = (atl_rotary_t){.width = width, .cosine = cosine, .sine = sine};
  return ATL_OK;
}

void atl_rotary_apply(const atl_rotary_t *rotary, float *x, int32_t position) {
  int32_t n_pairs = rotary->width / 2;
  const float *cosine = rotary->cosine + (size_t)position * (size_t)n_pairs;
  const float *sine = rotary->sine + (size_t)position * (size_t)n_pairs;
  for (int32_t i = 0; i < n_pairs; i++) {
    float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cosine[i] - b * sine[i];
    x[2 * i + 1] = b * cosine[i] + a * sine[i];
  }
}
