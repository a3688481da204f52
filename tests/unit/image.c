// TEST np=1
// PNG: a written picture reads back unchanged, encoding is deterministic, every kind of PNG is read, and damaged files
// are rejected.
#include "common/image.h"

#include <png.h>
#include <stdlib.h>

#include "common/memory.h"
#include "tests/support/tap.h"

static void fill(atl_image_t *image) {
  int n = image->width * image->height * image->n_channels;
  for (int i = 0; i < n; i++) image->pixels[i] = (uint8_t)(i * 31 + i / 7);
}

static int has_bytes(const uint8_t *bytes, size_t n, const char *what) {
  return memmem(bytes, n, what, strlen(what)) != NULL;
}

static void test_round_trip(int n_channels) {
  const atl_image_text_t texts[] = {{"prompt", "a red heart"}, {"title", "ein Käse"}};
  atl_image_t image, back;
  uint8_t *bytes, *again;
  size_t n, n_again;
  TAP_STATUS(ATL_OK, atl_image_init(&image, 37, 21, n_channels), "an image");
  fill(&image);
  TAP_STATUS(ATL_OK, atl_image_encode(&image, ATL_IMAGE_LEVEL, texts, 2, &bytes, &n), "is written");
  TAP_STATUS(ATL_OK, atl_image_encode(&image, ATL_IMAGE_LEVEL, texts, 2, &again, &n_again), "twice");
  TAP_OK(n == n_again && memcmp(bytes, again, n) == 0, "to the same bytes");
  TAP_OK(has_bytes(bytes, n, "tEXtprompt") && has_bytes(bytes, n, "iTXttitle") && has_bytes(bytes, n, "Käse"),
         "with its texts");
  TAP_STATUS(ATL_OK, atl_image_decode(bytes, n, "memory", &back), "and read");
  TAP_OK(back.width == 37 && back.height == 21 && back.n_channels == n_channels &&
             memcmp(back.pixels, image.pixels, (size_t)(37 * 21 * n_channels)) == 0,
         "with the same pixels");
  int n_read = 0;
  for (size_t cut = 0; cut < n; cut += 13) {
    atl_image_clear(&back);
    n_read += atl_image_decode(bytes, cut, "cut", &back) == ATL_OK;
  }
  TAP_OK(n_read == 0, "every truncated file is rejected");
  atl_image_clear(&back);
  atl_image_clear(&image);
  ATL_DESTROY(&bytes);
  ATL_DESTROY(&again);
}

static void test_damage(void) {
  atl_image_t image, back;
  uint8_t *bytes;
  size_t n;
  atl_image_init(&image, 16, 16, 3);
  fill(&image);
  atl_image_encode(&image, 9, NULL, 0, &bytes, &n);
  bytes[n / 2] ^= 0x55;
  TAP_STATUS(ATL_INPUT, atl_image_decode(bytes, n, "flipped", &back), "a flipped byte is found");
  bytes[n / 2] ^= 0x55;
  bytes[18] = 0x7f;
  TAP_STATUS(ATL_INPUT, atl_image_decode(bytes, n, "wide", &back), "an impossible width is refused");
  TAP_STATUS(ATL_INPUT, atl_image_decode("\xff\xd8\xff\xe0 not a PNG", 16, "photo.jpg", &back), "a JPEG is refused");
  TAP_OK(strstr(atl_status_message(), "a JPEG") != NULL, "a JPEG is refused by name");
  TAP_STATUS(ATL_INPUT, atl_image_decode("", 0, "empty", &back), "an empty file is refused");
  TAP_STATUS(ATL_INPUT, atl_image_load("/nonexistent.png", &back), "a missing file is refused");
  atl_image_clear(&image);
  TAP_STATUS(ATL_INPUT, atl_image_init(&image, 32768, 32768, 3), "too many pixels are refused");
  ATL_DESTROY(&bytes);
}

/* Writes a PNG with one row of two pixels of the given kind; returns its size. */
static size_t write_kind(uint8_t *out, size_t capacity, int color_type, int depth, const uint8_t *row) {
  FILE *file = fmemopen(out, capacity, "wb");
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_color palette[] = {{1, 2, 3}, {200, 100, 50}};
  png_byte alpha[] = {255, 128};
  png_init_io(png, file);
  png_set_IHDR(png, info, 2, 1, depth, color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (color_type == PNG_COLOR_TYPE_PALETTE) {
    png_set_PLTE(png, info, palette, 2);
    png_set_tRNS(png, info, alpha, 2, NULL);
  }
  png_write_info(png, info);
  png_write_row(png, row);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  size_t n = (size_t)ftell(file);
  fclose(file);
  return n;
}

/* libpng allocates a chunk before it reads it, so a length beyond the file must be rejected first. */
static void test_long_part(void) {
  atl_image_t image;
  uint8_t *bytes;
  size_t n;
  TAP_STATUS(ATL_OK, atl_image_init(&image, 2, 2, 3), "a picture");
  const atl_image_text_t text = {.key = "prompt", .text = "\xc3\xa9"};
  TAP_STATUS(ATL_OK, atl_image_encode(&image, 6, &text, 1, &bytes, &n), "with a text");
  atl_image_clear(&image);
  bytes[33] = 0x70; /* after the signature and IHDR: the length of the text, now 1.9 GB */
  TAP_STATUS(ATL_INPUT, atl_image_decode(bytes, n, "long.png", &image), "a chunk longer than the file is rejected");
  TAP_OK(strstr(atl_status_message(), "are left") != NULL, "before libpng reads it");
  ATL_DESTROY(&bytes);
}

static void test_kind(const char *name, int color_type, int depth, const char *row, int n_channels, const char *want) {
  uint8_t png[4096];
  atl_image_t image;
  size_t n = write_kind(png, sizeof png, color_type, depth, (const uint8_t *)row);
  TAP_STATUS(ATL_OK, atl_image_decode(png, n, name, &image), name);
  TAP_OK(image.n_channels == n_channels && memcmp(image.pixels, want, (size_t)(2 * n_channels)) == 0,
         "is normalised to 8 bits");
  atl_image_clear(&image);
}

static void test_channels(void) {
  atl_image_t image;
  atl_image_init(&image, 2, 1, 3);
  memcpy(image.pixels, "abcdef", 6);
  TAP_STATUS(ATL_OK, atl_image_add_alpha(&image), "alpha is added");
  TAP_OK(memcmp(image.pixels,
                "abc\xff"
                "def\xff",
                8) == 0,
         "opaque");
  atl_image_drop_alpha(&image);
  TAP_OK(memcmp(image.pixels, "abcdef", 6) == 0 && image.n_channels == 3, "and dropped");
  atl_image_clear(&image);
}

/* Makes each of our allocations fail once. */
static void test_memory(void) {
  atl_image_t image, back = {0};
  uint8_t *bytes = NULL;
  size_t n_bytes;
  atl_image_init(&image, 60, 40, 3);
  fill(&image);
  size_t before = atl_memory_in_use_bytes();
  atl_status_t status = ATL_MEMORY;
  int n = 0, n_clean = 0;
  while (status == ATL_MEMORY && n < 100) {
    atl_memory_fail_after(++n);
    status = atl_image_encode(&image, 1, NULL, 0, &bytes, &n_bytes);
    if (status == ATL_OK) status = atl_image_decode(bytes, n_bytes, "memory", &back);
    if (status != ATL_OK) ATL_DESTROY(&bytes);
    n_clean += status != ATL_MEMORY || atl_memory_in_use_bytes() == before;
  }
  atl_memory_fail_after(0);
  TAP_OK(status == ATL_OK && n > 2 && n_clean == n, "no allocation's failure leaks or crashes");
  ATL_DESTROY(&bytes);
  atl_image_clear(&back);
  atl_image_clear(&image);
}

int main(void) {
  test_round_trip(3);
  test_round_trip(4);
  test_damage();
  test_long_part();
  test_kind("grey", PNG_COLOR_TYPE_GRAY, 8, "\x07\xf0", 3, "\7\7\7\xf0\xf0\xf0");
  test_kind("one bit", PNG_COLOR_TYPE_GRAY, 1, "\x40", 3, "\0\0\0\xff\xff\xff");
  test_kind("16 bits", PNG_COLOR_TYPE_RGB, 16, "\1\1\2\2\3\3\xff\xff\x80\x80\0\0", 3, "\1\2\3\xff\x80\0");
  test_kind("grey and alpha", PNG_COLOR_TYPE_GRAY_ALPHA, 8, "\5\6\7\x08", 4, "\5\5\5\6\7\7\7\x08");
  test_kind("palette with transparency", PNG_COLOR_TYPE_PALETTE, 8, "\1\0", 4, "\xc8\x64\x32\x80\1\2\3\xff");
  test_channels();
  test_memory();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
