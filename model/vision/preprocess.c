/* Each output pixel is a weighted mean of the source pixels in its window. The bicubic filter with a = -0.5 reaches 2
 * pixels to each side; shrinking by a factor s widens the window to 2 s (antialiasing). Weights are normalised in
 * double and rounded to integers with 22 fractional bits. A pass sums in 32 bits, adds one half, shifts, and clamps to
 * 0..255. The column pass comes first, then the row pass. The result between them is rounded to bytes, as in Pillow. */
#include "model/vision/preprocess.h"

#include <math.h>
#include <string.h>

#include "common/memory.h"

enum { FRACTION_BITS = 22 };

/* Resize weights along one axis for n_out output pixels: pixel i is the sum over j < count[i] of weights[i * n_taps +
 * j] times source pixel first[i] + j. */
typedef struct {
  int32_t n_out, n_taps;
  int32_t *first, *count, *weights;
} axis_t;

static double bicubic(double x) {
  x = fabs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

static void clear_axis(axis_t *axis) {
  ATL_DESTROY(&axis->first);
  ATL_DESTROY(&axis->count);
  ATL_DESTROY(&axis->weights);
}

/* Sets the window and the integer weights of output pixel i, whose centre in source pixels is `centre`. */
static void weigh(axis_t *axis, int32_t i, double centre, double support, double filter_scale, int32_t n_in,
                  double *taps) {
  int32_t first = (int32_t)fmax(centre - support + 0.5, 0), end = (int32_t)fmin(centre + support + 0.5, n_in);
  double sum = 0;
  for (int32_t j = first; j < end; j++) {
    taps[j - first] = bicubic((j - centre + 0.5) * (1 / filter_scale));
    sum += taps[j - first];
  }
  axis->first[i] = first, axis->count[i] = end - first;
  for (int32_t j = 0; j < end - first; j++) {
    double weight = (sum != 0 ? taps[j] / sum : taps[j]) * (1 << FRACTION_BITS);
    axis->weights[(size_t)i * (size_t)axis->n_taps + (size_t)j] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
  }
}

/* Sets the weights of output pixels [offset, offset + n_out) of an axis of n_in pixels resized to n_resized. */
static atl_status_t init_axis(axis_t *axis, int32_t n_in, int32_t n_resized, int32_t offset, int32_t n_out) {
  double scale = (double)n_in / n_resized, filter_scale = fmax(scale, 1), support = 2 * filter_scale;
  double *taps = NULL;
  axis->n_out = n_out;
  axis->n_taps = (int32_t)ceil(support) * 2 + 1;
  ATL_TRY(ATL_NEW(n_out, &axis->first));
  ATL_TRY(ATL_NEW(n_out, &axis->count));
  ATL_TRY(ATL_NEW((size_t)n_out * (size_t)axis->n_taps, &axis->weights));
  ATL_TRY(ATL_NEW(axis->n_taps, &taps));
  for (int32_t i = 0; i < n_out; i++) weigh(axis, i, (offset + i + 0.5) * scale, support, filter_scale, n_in, taps);
  ATL_DESTROY(&taps);
  return ATL_OK;
}

/* One output byte from `count` source bytes that are `stride` apart. */
static uint8_t mix(const int32_t *weights, int32_t count, const uint8_t *in, size_t stride) {
  int32_t sum = 1 << (FRACTION_BITS - 1);
  for (int32_t j = 0; j < count; j++) sum += in[(size_t)j * stride] * weights[j];
  sum >>= FRACTION_BITS;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* out(n_rows, columns->n_out, C) <- in(n_rows, width, C) */
static void mix_columns(uint8_t *out, const axis_t *columns, const uint8_t *in, int32_t n_rows, int32_t width,
                        int32_t n_channels) {
  size_t n = (size_t)n_channels;
  for (int32_t y = 0; y < n_rows; y++)
    for (int32_t x = 0; x < columns->n_out; x++) {
      const uint8_t *from = in + ((size_t)y * (size_t)width + (size_t)columns->first[x]) * n;
      const int32_t *weights = columns->weights + (size_t)x * (size_t)columns->n_taps;
      for (size_t c = 0; c < n; c++) *out++ = mix(weights, columns->count[x], from + c, n);
    }
}

/* out(rows->n_out, row_bytes) <- in(n_rows, row_bytes), whose first row is source row first_row. */
static void mix_rows(uint8_t *out, const axis_t *rows, const uint8_t *in, int32_t first_row, size_t row_bytes) {
  for (int32_t y = 0; y < rows->n_out; y++) {
    const uint8_t *from = in + (size_t)(rows->first[y] - first_row) * row_bytes;
    const int32_t *weights = rows->weights + (size_t)y * (size_t)rows->n_taps;
    for (size_t i = 0; i < row_bytes; i++) *out++ = mix(weights, rows->count[y], from + i, row_bytes);
  }
}

/* The offset of a centred window of n in `size`: half the difference, with .5 rounded to even as in Python. */
static int32_t centre_offset(int32_t size, int32_t n) { return (int32_t)nearbyint((size - n) / 2.0); }

static atl_status_t resize(uint8_t *out, int32_t n, const uint8_t *in, int32_t height, int32_t width,
                           int32_t n_channels, axis_t *columns, axis_t *rows) {
  int32_t shorter = height < width ? height : width;
  int32_t new_height = (int32_t)((int64_t)n * height / shorter), new_width = (int32_t)((int64_t)n * width / shorter);
  ATL_TRY(init_axis(columns, width, new_width, centre_offset(new_width, n), n));
  ATL_TRY(init_axis(rows, height, new_height, centre_offset(new_height, n), n));
  int32_t first_row = rows->first[0], end_row = rows->first[n - 1] + rows->count[n - 1];
  size_t row_bytes = (size_t)n * (size_t)n_channels;
  uint8_t *narrow = NULL;
  ATL_TRY(ATL_NEW((size_t)(end_row - first_row) * row_bytes, &narrow));
  mix_columns(narrow, columns, in + (size_t)first_row * (size_t)width * (size_t)n_channels, end_row - first_row, width,
              n_channels);
  mix_rows(out, rows, narrow, first_row, row_bytes);
  ATL_DESTROY(&narrow);
  return ATL_OK;
}

/* Crops the centre of a picture whose shorter side is already n, where the resize would be the identity. */
static void crop(uint8_t *out, int32_t n, const uint8_t *in, int32_t height, int32_t width, int32_t n_channels) {
  size_t channels = (size_t)n_channels, row_bytes = (size_t)n * channels;
  const uint8_t *from =
      in + ((size_t)centre_offset(height, n) * (size_t)width + (size_t)centre_offset(width, n)) * channels;
  for (int32_t y = 0; y < n; y++)
    memcpy(out + (size_t)y * row_bytes, from + (size_t)y * (size_t)width * channels, row_bytes);
}

atl_status_t atl_preprocess_square(uint8_t *out, int32_t n, const uint8_t *in, int32_t height, int32_t width,
                                   int32_t n_channels) {
  ATL_ASSERT(n > 0 && height > 0 && width > 0 && n_channels > 0);
  if ((height < width ? height : width) == n) {
    crop(out, n, in, height, width, n_channels);
    return ATL_OK;
  }
  axis_t columns = {0}, rows = {0};
  atl_status_t status = resize(out, n, in, height, width, n_channels, &columns, &rows);
  clear_axis(&columns);
  clear_axis(&rows);
  return status;
}

void atl_preprocess_planes(float *out, const uint8_t *bytes, int32_t n, int32_t n_channels, const float *mean,
                           const float *std) {
  size_t n_pixels = (size_t)n * (size_t)n;
  for (int32_t c = 0; c < n_channels; c++)
    for (size_t i = 0; i < n_pixels; i++) {
      float value = (float)bytes[i * (size_t)n_channels + (size_t)c] / 255.0f;
      *out++ = mean ? (value - mean[c]) / std[c] : value;
    }
}
