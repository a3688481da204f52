// TEST np=1
/* Damaged PNGs of every kind of pixel. Chunk checksums stop most damaged files early, so every input is decoded twice:
 * as it is, and with its checksums repaired. */
#include "common/image.h"

#include <zlib.h>

#include "tests/support/mutate.h"

/* Sets the correct checksum of each complete chunk, so that its contents are read. */
static void repair(uint8_t *bytes, size_t n) {
  for (size_t at = 8; n >= 12 && at <= n - 12;) {
    uint32_t length =
        (uint32_t)bytes[at] << 24 | (uint32_t)bytes[at + 1] << 16 | (uint32_t)bytes[at + 2] << 8 | bytes[at + 3];
    if (length > n - 12 - at) return;
    uint32_t crc = (uint32_t)crc32(0, bytes + at + 4, 4 + length);
    for (int i = 0; i < 4; i++) bytes[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    at += 12 + length;
  }
}

static void decode(const uint8_t *data, size_t n) {
  atl_image_t image;
  if (atl_image_decode(data, n, "fuzz", &image) != ATL_OK) return;
  mutate_n_read++;
  atl_image_drop_alpha(&image);
  atl_image_clear(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  decode(data, n);
  uint8_t *repaired = malloc(n);
  if (repaired == NULL) return 0;
  memcpy(repaired, data, n);
  repair(repaired, n);
  decode(repaired, n);
  free(repaired);
  return 0;
}

static void add_picture(mutate_corpus_t *corpus, int32_t side, int32_t n_channels) {
  atl_image_t image;
  uint8_t *bytes;
  size_t n;
  if (!TAP_STATUS(ATL_OK, atl_image_init(&image, side, side, n_channels), "a picture")) return;
  for (int32_t i = 0; i < side * side * n_channels; i++) image.pixels[i] = (uint8_t)(i * 7);
  const atl_image_text_t text = {.key = "prompt", .text = "größe"};
  if (TAP_STATUS(ATL_OK, atl_image_encode(&image, 6, &text, 1, &bytes, &n), "is encoded")) {
    mutate_add_seed(corpus, bytes, n);
    ATL_DESTROY(&bytes);
  }
  atl_image_clear(&image);
}

/* Writes a chunk: length, kind, data, and a checksum of 0 for repair. Returns its size. */
static size_t put_chunk(uint8_t *out, const char *kind, const void *data, size_t n) {
  const uint8_t length[4] = {0, 0, (uint8_t)(n >> 8), (uint8_t)n};
  memcpy(out, length, 4);
  memcpy(out + 4, kind, 4);
  if (n > 0) memcpy(out + 8, data, n);
  memset(out + 8 + n, 0, 4);
  return 12 + n;
}

/* Adds a 4 x 4 picture with `depth` bits and a `colour` type, with palette and transparency where allowed. */
static void add_kind(mutate_corpus_t *corpus, uint8_t depth, uint8_t colour, uint8_t interlace, size_t row_bytes) {
  uint8_t bytes[512], packed[256];
  const uint8_t rows[256] = {0}, palette[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const uint8_t header[13] = {0, 0, 0, 4, 0, 0, 0, 4, depth, colour, 0, 0, interlace};
  uLongf n_packed = sizeof packed;
  compress(packed, &n_packed, rows, 4 * (1 + row_bytes) + 16);
  memcpy(bytes, "\x89PNG\r\n\x1a\n", 8);
  size_t n = 8;
  n += put_chunk(bytes + n, "IHDR", header, sizeof header);
  if (colour == 3) n += put_chunk(bytes + n, "PLTE", palette, sizeof palette);
  if (colour != 4 && colour != 6) n += put_chunk(bytes + n, "tRNS", palette, colour == 0 ? 2 : colour == 2 ? 6 : 4);
  n += put_chunk(bytes + n, "IDAT", packed, n_packed);
  n += put_chunk(bytes + n, "IEND", NULL, 0);
  repair(bytes, n);
  mutate_add_seed(corpus, bytes, n);
}

static void add_seeds(mutate_corpus_t *corpus) {
  add_picture(corpus, 3, 3);
  add_picture(corpus, 16, 4);
  add_kind(corpus, 1, 0, 0, 1);
  add_kind(corpus, 16, 0, 1, 8);
  add_kind(corpus, 2, 3, 0, 1);
  add_kind(corpus, 8, 3, 1, 4);
  add_kind(corpus, 16, 2, 0, 24);
  add_kind(corpus, 8, 4, 0, 8);
  add_kind(corpus, 16, 6, 1, 32);
}

/* Deflate compresses at most 1032 to 1; a bit becomes three or four bytes at worst. */
MUTATE_MAIN(add_seeds, 1 << 20, 1032 * 32)
