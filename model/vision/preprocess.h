/* Preprocess: turns a picture of any size into a network's square input, with the same bytes as Pillow and torchvision.
 * The shorter side is resized to n with antialiased bicubic interpolation in 8-bit fixed point, then the centre is
 * cropped. Only pixels inside the crop are computed, so a very long picture needs no more memory.
 */
#ifndef ATL_MODEL_VISION_PREPROCESS_H
#define ATL_MODEL_VISION_PREPROCESS_H

#include <stdint.h>

#include "common/status.h"

/* out(n,n,C) <- in(height,width,C), C 1..4. MEMORY. Borrows. */
atl_status_t atl_preprocess_square(uint8_t *out, int32_t n, const uint8_t *in, int32_t height, int32_t width,
                                   int32_t n_channels);
/* out(C,n,n) <- (bytes(n,n,C) / 255 - mean(C)) / std(C). With mean and std NULL, out is in 0..1. */
void atl_preprocess_planes(float *out, const uint8_t *bytes, int32_t n, int32_t n_channels, const float *mean,
                           const float *std);

#endif
