#include "model/transformer/shift.h"

#include <stdbool.h>
#include <string.h>

static size_t half_of(int32_t width) { return ((size_t)width + 1) / 2; }
static size_t quarter_of(int32_t width) { return ((size_t)width + 3) / 4; }

void atl_shift_get_bytes(int32_t width, int32_t image_side, size_t *per_prefix, size_t *per_sample) {
  *per_prefix = half_of(width) * sizeof(float);
  *per_sample = quarter_of(width) * ((size_t)image_side + 1) * sizeof(float);
}

atl_status_t atl_shift_init(atl_shift_t *shift, int32_t width, int32_t image_side, int32_t n_prefixes,
                            int32_t n_samples, atl_arena_t *arena) {
  size_t half = half_of(width), quarter = quarter_of(width);
  *shift =
      (atl_shift_t){.width = width, .image_side = image_side, .n_half = (int32_t)half, .n_quarter = (int32_t)quarter};
  ATL_TRY(ATL_TAKE(arena, (size_t)n_prefixes * half, &shift->before));
  ATL_TRY(ATL_TAKE(arena, (size_t)n_samples * (size_t)image_side * quarter, &shift->above));
  return ATL_TAKE(arena, (size_t)n_samples * quarter, &shift->left);
}

/* x <- memory, or zeros at an edge; memory <- the old x. */
static void exchange(float *x, float *memory, int32_t n, bool is_edge) {
  for (int32_t i = 0; i < n; i++) {
    float own = x[i];
    x[i] = is_edge ? 0.0f : memory[i];
    memory[i] = own;
  }
}

void atl_shift_text(atl_shift_t *shift, float *x, int32_t prefix, int32_t position) {
  exchange(x, shift->before + (size_t)prefix * (size_t)shift->n_half, shift->n_half, position == 0);
}

void atl_shift_image(atl_shift_t *shift, float *x, int32_t sample, int32_t token) {
  int32_t row = token / shift->image_side, column = token % shift->image_side, n = shift->n_quarter;
  size_t at = (size_t)sample * (size_t)shift->image_side + (size_t)column;
  exchange(x, shift->above + at * (size_t)n, n, row == 0);
  int32_t n_second = shift->width < 2 * n ? shift->width - n : n; /* D < 4: the second chunk may be short or empty */
  exchange(x + n, shift->left + (size_t)sample * (size_t)n, n_second, column == 0);
}

void atl_shift_copy(atl_shift_t *shift, int32_t to, int32_t from) {
  size_t n = (size_t)shift->n_quarter, n_above = n * (size_t)shift->image_side;
  memcpy(shift->above + (size_t)to * n_above, shift->above + (size_t)from * n_above, n_above * sizeof(float));
  memcpy(shift->left + (size_t)to * n, shift->left + (size_t)from * n, n * sizeof(float));
}
