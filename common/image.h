/* Image: 8-bit RGB or RGBA pictures, and PNG as their file format. libpng and its longjmp stay in image.c.
 *
 *     atl_image_t image;
 *     ATL_TRY(atl_image_load("heart.png", &image));
 *     ... image.pixels + (y * image.width + x) * image.n_channels ...
 *     atl_image_clear(&image);
 *
 * Writing the same pixels, texts and level gives the same bytes.
 */
#ifndef ATL_COMMON_IMAGE_H
#define ATL_COMMON_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

enum {
  ATL_IMAGE_MAX_SIDE = 32768,
  ATL_IMAGE_MAX_PIXELS = 1 << 27, /* a larger file is refused before anything is allocated for it */
  ATL_IMAGE_LEVEL = 6             /* compression level when there is no reason for another */
};

typedef struct {
  uint8_t *pixels; /* (height, width, n_channels) */
  int32_t width, height;
  int32_t n_channels; /* 3 or 4 (alpha last, not premultiplied) */
} atl_image_t;

/* A text chunk: key 1..79 bytes of ASCII, text UTF-8; written as tEXt when the text is ASCII, else as iTXt. */
typedef struct {
  const char *key, *text;
} atl_image_text_t;

/* Reads a PNG file of any kind: grey, palette and 16 bits become 8-bit RGB, or RGBA when there is any transparency.
 * INPUT: missing, not a PNG (says what it is instead), corrupt, too large. MEMORY. Caller clears. */
atl_status_t atl_image_load(const char *path, atl_image_t *image);
/* The same from n bytes in memory; `where` names them in messages. */
atl_status_t atl_image_decode(const void *bytes, size_t n_bytes, const char *where, atl_image_t *image);
/* Zeroed pixels. INPUT when the size is not within the limits. Caller clears. */
atl_status_t atl_image_init(atl_image_t *image, int32_t width, int32_t height, int32_t n_channels);
void atl_image_clear(atl_image_t *image);
/* Makes it RGB: alpha is dropped, as Pillow's convert("RGB") does. In place. */
void atl_image_drop_alpha(atl_image_t *image);
/* Makes it RGBA, opaque where it was RGB. MEMORY. */
atl_status_t atl_image_add_alpha(atl_image_t *image);

/* PNG bytes of an image. level 0..9. Caller owns *bytes (ATL_DESTROY). */
atl_status_t atl_image_encode(const atl_image_t *image, int level, const atl_image_text_t *texts, size_t n_texts,
                              uint8_t **bytes, size_t *n_bytes);
/* Writes them atomically (common/file.h). */
atl_status_t atl_image_save(const char *path, const atl_image_t *image, int level, const atl_image_text_t *texts,
                            size_t n_texts);

#endif
