/* Image: 8-bit RGB and RGBA pictures, read from and written to PNG. libpng and its longjmp stay in image.c.
 *
 *     atl_image_t image;
 *     ATL_TRY(atl_image_load("heart.png", &image));
 *     ... image.pixels + (y * image.width + x) * image.n_channels ...
 *     atl_image_clear(&image);
 *
 * The same pixels, texts and level give the same PNG bytes. All local.
 */
#ifndef ATL_COMMON_IMAGE_H
#define ATL_COMMON_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

enum {
  ATL_IMAGE_MAX_SIDE = 32768,
  ATL_IMAGE_MAX_PIXELS = 1 << 27, /* larger pictures are rejected before their pixels are allocated */
  ATL_IMAGE_LEVEL = 6             /* default compression level */
};

typedef struct {
  uint8_t *pixels; /* (height, width, n_channels) */
  int32_t width, height;
  int32_t n_channels; /* 3 or 4 (alpha last, not premultiplied) */
} atl_image_t;

/* A text chunk: the key is 1..79 ASCII characters, the text UTF-8. Written as tEXt if the text is ASCII, else as
 * iTXt. */
typedef struct {
  const char *key, *text;
} atl_image_text_t;

/* Reads any PNG file: grey, palette and 16-bit pixels become 8-bit RGB, or RGBA if the file has transparency. INPUT:
 * missing, not a PNG (the message names the format found), corrupt or too large. MEMORY. Caller owns (clear). */
atl_status_t atl_image_load(const char *path, atl_image_t *image);
/* The same from n_bytes in memory, which are borrowed during the call; `where` names them in messages. */
atl_status_t atl_image_decode(const void *bytes, size_t n_bytes, const char *where, atl_image_t *image);
/* Allocates zeroed pixels; n_channels is 3 or 4 (asserted). INPUT when the size exceeds the limits. MEMORY. Caller owns
 * (clear). */
atl_status_t atl_image_init(atl_image_t *image, int32_t width, int32_t height, int32_t n_channels);
void atl_image_clear(atl_image_t *image);
/* Converts to RGB in place by dropping alpha, as Pillow's convert("RGB") does. */
void atl_image_drop_alpha(atl_image_t *image);
/* Converts RGB to opaque RGBA; RGBA stays as it is. MEMORY. */
atl_status_t atl_image_add_alpha(atl_image_t *image);

/* Encodes an image as PNG, compression level 0..9 (else USAGE). MEMORY. Borrows; caller owns *bytes (ATL_DESTROY). */
atl_status_t atl_image_encode(const atl_image_t *image, int level, const atl_image_text_t *texts, size_t n_texts,
                              uint8_t **bytes, size_t *n_bytes);
/* Encodes and writes the file atomically (common/file.h). Also IO. */
atl_status_t atl_image_save(const char *path, const atl_image_t *image, int level, const atl_image_text_t *texts,
                            size_t n_texts);

#endif
