/* libpng reports failure by longjmp. Reading and writing are therefore one function each that calls setjmp; everything
 * that must be freed or reported after a jump lives in a struct of its caller. */
#include "common/image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"

enum { MAX_CHUNK_BYTES = 8 << 20 }; /* limit for a text or profile chunk; the size of the file is another */

typedef struct {
  const uint8_t *bytes; /* read from */
  size_t n_bytes, position;
  const char *where;
  atl_image_t *image;
  uint8_t **rows;   /* pointers into image */
  char problem[96]; /* libpng's message */
  jmp_buf escape;
} png_reader_t;

typedef struct {
  const atl_image_t *image;
  const atl_image_text_t *texts;
  size_t n_texts;
  int level;
  uint8_t *bytes; /* grown as written */
  size_t n_bytes, capacity;
  char problem[96];
  jmp_buf escape;
} png_writer_t;

static void reader_error(png_structp png, png_const_charp message) {
  png_reader_t *reader = png_get_error_ptr(png);
  snprintf(reader->problem, sizeof reader->problem, "%s", message);
  longjmp(reader->escape, 1);
}

static void writer_error(png_structp png, png_const_charp message) {
  png_writer_t *writer = png_get_error_ptr(png);
  snprintf(writer->problem, sizeof writer->problem, "%s", message);
  longjmp(writer->escape, 1);
}

/* Warnings concern metadata that we do not read. */
static void ignore_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep data, size_t n) {
  png_reader_t *reader = png_get_io_ptr(png);
  if (n > reader->n_bytes - reader->position) png_error(png, "the file ends early");
  memcpy(data, reader->bytes + reader->position, n);
  reader->position += n;
}

static void write_bytes(png_structp png, png_bytep data, size_t n) {
  png_writer_t *writer = png_get_io_ptr(png);
  if (n > writer->capacity - writer->n_bytes) {
    size_t capacity = writer->capacity * 2 + n;
    if (ATL_RESIZE(capacity, &writer->bytes) != ATL_OK) png_error(png, "no memory for the compressed bytes");
    writer->capacity = capacity;
  }
  memcpy(writer->bytes + writer->n_bytes, data, n);
  writer->n_bytes += n;
}

static void flush_nothing(png_structp png) { (void)png; }

/* Deflate compresses at most 1032 to 1, so a file of n_bytes cannot hold more than 1032 n_bytes of pixels. */
static atl_status_t allocate_rows(png_reader_t *reader, int64_t width, int64_t height, int n_channels,
                                  size_t row_bytes) {
  atl_image_t *image = reader->image;
  ATL_CHECK(row_bytes * (size_t)height / 1032 <= reader->n_bytes, INPUT,
            "%s: the PNG is damaged: %zu bytes cannot hold %lld x %lld pixels", reader->where, reader->n_bytes,
            (long long)width, (long long)height);
  ATL_TRY(atl_image_init(image, (int32_t)width, (int32_t)height, n_channels));
  ATL_TRY(ATL_NEW(height, &reader->rows));
  for (int64_t y = 0; y < height; y++) reader->rows[y] = image->pixels + (size_t)(y * width) * (size_t)n_channels;
  return ATL_OK;
}

/* Converts every kind of pixel to 8-bit RGB, or to RGBA if there is alpha or a transparent colour. */
static void request_8_bits(png_structp png, png_infop info) {
  png_set_scale_16(png);
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_gray_to_rgb(png);
  if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
  png_set_interlace_handling(png);
}

static atl_status_t run_reader(png_structp png, png_infop info, png_reader_t *reader) {
  if (setjmp(reader->escape)) return ATL_FAIL(INPUT, "%s: the PNG is damaged: %s", reader->where, reader->problem);
  png_set_read_fn(png, reader, read_bytes);
  png_set_user_limits(png, ATL_IMAGE_MAX_SIDE, ATL_IMAGE_MAX_SIDE);
  png_set_chunk_malloc_max(png, reader->n_bytes < MAX_CHUNK_BYTES ? reader->n_bytes : MAX_CHUNK_BYTES);
  png_read_info(png, info);
  size_t row_bytes = png_get_rowbytes(png, info); /* as stored */
  request_8_bits(png, info);
  png_read_update_info(png, info);
  ATL_TRY(allocate_rows(reader, png_get_image_width(png, info), png_get_image_height(png, info),
                        png_get_channels(png, info), row_bytes));
  png_read_image(png, reader->rows);
  png_read_end(png, NULL);
  return ATL_OK;
}

/* libpng allocates a chunk by its length before it reads it, so every chunk must end within the file. */
static atl_status_t check_chunks(const uint8_t *bytes, size_t n_bytes, const char *where) {
  for (size_t at = 8; n_bytes - at >= 12;) {
    size_t length = (size_t)png_get_uint_32(bytes + at), left = n_bytes - at - 12;
    ATL_CHECK(length <= left, INPUT,
              "%s: the PNG is damaged: a chunk of %zu bytes at byte %zu, but only %zu bytes are left", where, length,
              at, left);
    if (memcmp(bytes + at + 4, "IEND", 4) == 0) return ATL_OK;
    at += 12 + length;
  }
  return ATL_FAIL(INPUT, "%s: the PNG is damaged: the file ends early", where);
}

/* Names the format of a file that is not a PNG, for the message. */
static const char *guess_kind(const uint8_t *bytes, size_t n) {
  if (n >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return "a JPEG";
  if (n >= 4 && memcmp(bytes, "GIF8", 4) == 0) return "a GIF";
  if (n >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) return "a WebP";
  if (n >= 2 && memcmp(bytes, "BM", 2) == 0) return "a BMP";
  return n == 0 ? "an empty file" : "something else";
}

atl_status_t atl_image_decode(const void *bytes, size_t n_bytes, const char *where, atl_image_t *image) {
  memset(image, 0, sizeof *image);
  ATL_CHECK(n_bytes >= 8 && png_sig_cmp(bytes, 0, 8) == 0, INPUT,
            "%s: expected a PNG picture, found %s; convert it first, for example with ImageMagick's `convert`", where,
            guess_kind(bytes, n_bytes));
  ATL_TRY(check_chunks(bytes, n_bytes, where));
  png_reader_t reader = {.bytes = bytes, .n_bytes = n_bytes, .where = where, .image = image};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, reader_error, ignore_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  atl_status_t status = info ? run_reader(png, info, &reader) : ATL_FAIL(MEMORY, "%s: no memory to read a PNG", where);
  png_destroy_read_struct(&png, &info, NULL);
  ATL_DESTROY(&reader.rows);
  if (status != ATL_OK) atl_image_clear(image);
  return status;
}

atl_status_t atl_image_load(const char *path, atl_image_t *image) {
  memset(image, 0, sizeof *image);
  atl_file_map_t map;
  ATL_TRY(atl_file_map(path, &map));
  atl_status_t status = atl_image_decode(map.bytes, map.n_bytes, path, image);
  atl_file_unmap(&map);
  return status;
}

atl_status_t atl_image_init(atl_image_t *image, int32_t width, int32_t height, int32_t n_channels) {
  memset(image, 0, sizeof *image);
  ATL_CHECK(width > 0 && height > 0 && width <= ATL_IMAGE_MAX_SIDE && height <= ATL_IMAGE_MAX_SIDE &&
                (int64_t)width * height <= ATL_IMAGE_MAX_PIXELS,
            INPUT, "a picture of %d x %d pixels: expected sides of 1..%d and at most %d pixels in all; make it smaller",
            width, height, ATL_IMAGE_MAX_SIDE, ATL_IMAGE_MAX_PIXELS);
  ATL_ASSERT(n_channels == 3 || n_channels == 4);
  ATL_TRY(ATL_NEW((size_t)width * (size_t)height * (size_t)n_channels, &image->pixels));
  image->width = width, image->height = height, image->n_channels = n_channels;
  return ATL_OK;
}

void atl_image_clear(atl_image_t *image) {
  ATL_DESTROY(&image->pixels);
  memset(image, 0, sizeof *image);
}

void atl_image_drop_alpha(atl_image_t *image) {
  if (image->n_channels == 3) return;
  size_t n_pixels = (size_t)image->width * (size_t)image->height;
  for (size_t i = 0; i < n_pixels; i++) memmove(image->pixels + i * 3, image->pixels + i * 4, 3);
  image->n_channels = 3;
}

atl_status_t atl_image_add_alpha(atl_image_t *image) {
  if (image->n_channels == 4) return ATL_OK;
  size_t n_pixels = (size_t)image->width * (size_t)image->height;
  ATL_TRY(ATL_RESIZE(n_pixels * 4, &image->pixels));
  for (size_t i = n_pixels; i-- > 0;) {
    memmove(image->pixels + i * 4, image->pixels + i * 3, 3);
    image->pixels[i * 4 + 3] = 255;
  }
  image->n_channels = 4;
  return ATL_OK;
}

static int is_ascii(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text >= 128) return 0;
  return 1;
}

static void write_texts(png_structp png, png_infop info, const png_writer_t *writer) {
  for (size_t i = 0; i < writer->n_texts; i++) {
    const atl_image_text_t *text = &writer->texts[i];
    png_text chunk = {.key = (char *)text->key, .text = (char *)text->text};
    chunk.compression = is_ascii(text->text) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    if (chunk.compression == PNG_TEXT_COMPRESSION_NONE)
      chunk.text_length = strlen(text->text);
    else
      chunk.itxt_length = strlen(text->text);
    png_set_text(png, info, &chunk, 1);
  }
}

static atl_status_t run_writer(png_structp png, png_infop info, png_writer_t *writer) {
  const atl_image_t *image = writer->image;
  if (setjmp(writer->escape)) return ATL_FAIL(MEMORY, "writing a PNG failed: %s", writer->problem);
  png_set_write_fn(png, writer, write_bytes, flush_nothing);
  png_set_compression_level(png, writer->level);
  png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
               image->n_channels == 4 ? PNG_COLOR_TYPE_RGBA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  write_texts(png, info, writer);
  png_write_info(png, info);
  size_t row_bytes = (size_t)image->width * (size_t)image->n_channels;
  for (int32_t y = 0; y < image->height; y++) png_write_row(png, image->pixels + (size_t)y * row_bytes);
  png_write_end(png, info);
  return ATL_OK;
}

atl_status_t atl_image_encode(const atl_image_t *image, int level, const atl_image_text_t *texts, size_t n_texts,
                              uint8_t **bytes, size_t *n_bytes) {
  *bytes = NULL, *n_bytes = 0;
  ATL_CHECK(level >= 0 && level <= 9, USAGE, "PNG compression level %d: expected 0..9", level);
  png_writer_t writer = {.image = image, .texts = texts, .n_texts = n_texts, .level = level};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, writer_error, ignore_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  atl_status_t status = info ? run_writer(png, info, &writer) : ATL_FAIL(MEMORY, "no memory to write a PNG");
  png_destroy_write_struct(&png, &info);
  if (status != ATL_OK)
    ATL_DESTROY(&writer.bytes);
  else
    *bytes = writer.bytes, *n_bytes = writer.n_bytes;
  return status;
}

atl_status_t atl_image_save(const char *path, const atl_image_t *image, int level, const atl_image_text_t *texts,
                            size_t n_texts) {
  uint8_t *bytes;
  size_t n_bytes;
  ATL_TRY(atl_image_encode(image, level, texts, n_texts, &bytes, &n_bytes));
  atl_status_t status = atl_file_write(path, bytes, n_bytes);
  ATL_DESTROY(&bytes);
  return status;
}
