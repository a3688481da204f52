/* Token shift (docs/model.md): before a sublayer, some of a token's normalised channels are replaced by those of an
 * earlier token. This module holds the channels of earlier tokens that one sublayer needs to shift token by token.
 *
 *     text   first half, ceil(D/2) channels:  from position p-1, zeros at 0
 *     image  chunk 0, ceil(D/4) channels:     from the token one row up, zeros in row 0
 *            chunk 1, the next ceil(D/4):     from the token on the left, zeros in column 0
 *
 * It stores the channels as they were before the shift. The arena given to init owns the arrays.
 */
#ifndef ATL_MODEL_TRANSFORMER_SHIFT_H
#define ATL_MODEL_TRANSFORMER_SHIFT_H

#include "common/arena.h"

typedef struct {
  int32_t width, image_side; /* D, f */
  int32_t n_half, n_quarter; /* ceil(D/2), ceil(D/4) */
  float *before;             /* (n_prefixes,n_half): the last text token of each prefix */
  float *above;              /* (n_samples,f,n_quarter): chunk 0 of the last token of each column */
  float *left;               /* (n_samples,n_quarter): chunk 1 of the last token */
} atl_shift_t;

/* Bytes of a prefix and of a sample. Pure. */
void atl_shift_get_bytes(int32_t width, int32_t image_side, size_t *per_prefix, size_t *per_sample);
/* MEMORY. The arena owns. */
atl_status_t atl_shift_init(atl_shift_t *shift, int32_t width, int32_t image_side, int32_t n_prefixes,
                            int32_t n_samples, atl_arena_t *arena);
/* Shift x(D) in place: text position p of a prefix, or image token j of a sample. Calls for one sequence come in order
 * of position. */
void atl_shift_text(atl_shift_t *shift, float *x, int32_t prefix, int32_t position);
void atl_shift_image(atl_shift_t *shift, float *x, int32_t sample, int32_t token);
/* Copies the state of sample `from` to sample `to`. */
void atl_shift_copy(atl_shift_t *shift, int32_t to, int32_t from);

#endif
