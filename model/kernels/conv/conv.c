/* With a backend that has no convolutions of its own, a convolution is a linear layer over gathered windows: row p of
 * the gathered matrix holds the k x k x I inputs under output pixel p, with zeros where the window leaves the picture.
 * With channels last, a window is k runs of k*I values.
 *
 * The transposed 4x4 stride-2 convolution is four convolutions with 2x2 windows, one for each parity (py, px) of the
 * output pixel. Output row 2y+py meets input row iy through weight row ky = 2y + py + 1 - 2 iy. So parity 0 sees rows
 * y-1 and y with ky 3 and 1, and parity 1 sees rows y and y+1 with ky 2 and 0: ky = 3 - py - 2 j for row j of the
 * window. Columns work the same way. */
#include "model/kernels/conv/conv.h"

#include <string.h>

#include "common/memory.h"
#include "model/kernels/activation/activation.h"
#include "model/kernels/bf16.h"
#include "model/kernels/conv/conv_private.h"
#include "model/kernels/linear/linear.h"

enum { MAX_PHASES = 4, ROWS_AT_ONCE = 384, MIN_PARALLEL_ITEMS = 1 << 15 };

/* One layer over windows: computes output pixels (y * out_stride + out_y, x * out_stride + out_x) for all (y, x) of the
 * phase's grid. */
typedef struct {
  atl_linear_t *linear; /* when ops is NULL, else part */
  atl_conv_part_t *part;
  int32_t pad_y, pad_x, out_y, out_x;
} phase_t;

struct atl_conv {
  atl_conv_spec_t spec;      /* without weight and bias */
  const atl_conv_ops_t *ops; /* they run the phases' parts; NULL: the phases' linear layers run */
  int32_t out_height, out_width;
  int32_t grid_height, grid_width; /* output pixels of a phase */
  int32_t window, window_stride, out_stride;
  int32_t n_phases;
  phase_t phases[MAX_PHASES];
  uint16_t *rounded;         /* x(H,W,I) of one picture as bf16, for ops; NULL when x is used as it is */
  float *gathered;           /* (grid_rows_at_once*grid_width, window*window*I); NULL when x already has that layout */
  int32_t grid_rows_at_once; /* rows of the grid in one linear call */
  float *part;               /* (grid_height,grid_width,O): one of several phases before it is spread over y; or NULL */
  float *part_after;         /* (grid_height,grid_width,n_results) <- part through spec.then; or NULL */
  int32_t n_results;         /* channels of y */
};

/* ordered(O,window,window,I) <- a phase's weights, in the order in which windows are gathered. */
static void order_weights(float *ordered, const atl_conv_spec_t *spec, int32_t window, const phase_t *phase) {
  int64_t k = spec->kernel, n_in = spec->n_in, n_out = spec->n_out;
  for (int64_t o = 0; o < n_out; o++)
    for (int64_t j = 0; j < window; j++)
      for (int64_t i = 0; i < window; i++) {
        int64_t ky = spec->is_transposed ? 3 - phase->out_y - 2 * j : j;
        int64_t kx = spec->is_transposed ? 3 - phase->out_x - 2 * i : i;
        for (int64_t c = 0; c < n_in; c++)
          *ordered++ = spec->weight[((spec->is_transposed ? c * n_out + o : o * n_in + c) * k + ky) * k + kx];
      }
}

static atl_status_t new_linear(const atl_conv_t *conv, const atl_conv_spec_t *spec, const float *ordered,
                               phase_t *phase) {
  const atl_linear_spec_t linear = {.weight = ordered,
                                    .bias = spec->bias,
                                    .n_out = spec->n_out,
                                    .n_in = (int64_t)conv->window * conv->window * spec->n_in,
                                    .dtype = spec->dtype,
                                    .backend = spec->backend,
                                    .activation = spec->has_relu && !spec->accumulates ? ATL_ACTIVATION_RELU
                                                                                       : ATL_ACTIVATION_NONE};
  return atl_linear_new(&linear, &phase->linear);
}

static atl_status_t new_part(const atl_conv_t *conv, const atl_conv_spec_t *spec, const float *ordered,
                             phase_t *phase) {
  const atl_conv_part_spec_t part = {.weight = ordered,
                                     .bias = spec->bias,
                                     .n_in = spec->n_in,
                                     .n_out = spec->n_out,
                                     .kernel = conv->window,
                                     .stride = conv->window_stride,
                                     .pad_y = phase->pad_y,
                                     .pad_x = phase->pad_x,
                                     .height = spec->height,
                                     .width = spec->width,
                                     .out_height = conv->grid_height,
                                     .out_width = conv->grid_width,
                                     .has_relu = spec->has_relu,
                                     .accumulates = spec->accumulates,
                                     .dtype = spec->dtype};
  return conv->ops->create(&part, &phase->part);
}

static atl_status_t new_phase(const atl_conv_t *conv, const atl_conv_spec_t *spec, phase_t *phase) {
  float *ordered;
  ATL_TRY(ATL_NEW((int64_t)conv->window * conv->window * spec->n_in * spec->n_out, &ordered));
  order_weights(ordered, spec, conv->window, phase);
  atl_status_t status =
      conv->ops != NULL ? new_part(conv, spec, ordered, phase) : new_linear(conv, spec, ordered, phase);
  ATL_DESTROY(&ordered);
  return status;
}

static atl_status_t build_phases(atl_conv_t *conv, const atl_conv_spec_t *spec) {
  conv->n_phases = spec->is_transposed ? 4 : 1;
  for (int32_t i = 0; i < conv->n_phases; i++) {
    phase_t *phase = &conv->phases[i];
    phase->out_y = i / 2, phase->out_x = i % 2;
    phase->pad_y = spec->is_transposed ? 1 - phase->out_y : spec->padding;
    phase->pad_x = spec->is_transposed ? 1 - phase->out_x : spec->padding;
    ATL_TRY(new_phase(conv, spec, phase));
  }
  return ATL_OK;
}

static size_t rounded_items(const atl_conv_t *conv) {
  if (conv->ops == NULL || conv->spec.dtype != ATL_BF16) return 0;
  return (size_t)conv->spec.height * (size_t)conv->spec.width * (size_t)conv->spec.n_in;
}

static size_t part_items(const atl_conv_t *conv) {
  return conv->n_phases == 1 ? 0 : (size_t)conv->grid_height * (size_t)conv->grid_width * (size_t)conv->spec.n_out;
}

static size_t part_after_items(const atl_conv_t *conv) {
  return conv->spec.then ? (size_t)conv->grid_height * (size_t)conv->grid_width * (size_t)conv->n_results : 0;
}

static size_t gathered_items(const atl_conv_t *conv) {
  bool is_gathered = conv->window > 1 || conv->window_stride > 1 || conv->spec.padding > 0;
  if (conv->ops != NULL || !is_gathered) return 0;
  return (size_t)conv->grid_rows_at_once * (size_t)conv->grid_width * (size_t)conv->window * (size_t)conv->window *
         (size_t)conv->spec.n_in;
}

static atl_status_t build(atl_conv_t *conv, const atl_conv_spec_t *spec) {
  int32_t rows = ROWS_AT_ONCE / conv->grid_width;
  conv->grid_rows_at_once = rows < 1 ? 1 : rows < conv->grid_height ? rows : conv->grid_height;
  ATL_TRY(build_phases(conv, spec));
  if (rounded_items(conv) > 0) ATL_TRY(ATL_NEW(rounded_items(conv), &conv->rounded));
  if (part_items(conv) > 0) ATL_TRY(ATL_NEW(part_items(conv), &conv->part));
  if (part_after_items(conv) > 0) ATL_TRY(ATL_NEW(part_after_items(conv), &conv->part_after));
  if (gathered_items(conv) > 0) ATL_TRY(ATL_NEW(gathered_items(conv), &conv->gathered));
  return ATL_OK;
}

static void set_sizes(atl_conv_t *conv, const atl_conv_spec_t *spec) {
  conv->spec = *spec;
  conv->spec.weight = conv->spec.bias = NULL;
  conv->ops = atl_backend_conv(spec->backend, spec->dtype);
  conv->n_results = spec->then ? spec->then->n_results : spec->n_out;
  conv->out_stride = spec->is_transposed ? spec->stride : 1;
  conv->window = spec->is_transposed ? spec->kernel / spec->stride : spec->kernel;
  conv->window_stride = spec->is_transposed ? 1 : spec->stride;
  conv->grid_height =
      spec->is_transposed ? spec->height : (spec->height + 2 * spec->padding - spec->kernel) / spec->stride + 1;
  conv->grid_width =
      spec->is_transposed ? spec->width : (spec->width + 2 * spec->padding - spec->kernel) / spec->stride + 1;
  conv->out_height = conv->grid_height * conv->out_stride;
  conv->out_width = conv->grid_width * conv->out_stride;
}

atl_status_t atl_conv_new(const atl_conv_spec_t *spec, atl_conv_t **conv) {
  *conv = NULL;
  ATL_CHECK(spec->height + 2 * spec->padding >= spec->kernel && spec->width + 2 * spec->padding >= spec->kernel, INPUT,
            "a convolution with a window of %d needs a picture at least as large, found %d x %d", spec->kernel,
            spec->width, spec->height);
  ATL_CHECK(!spec->is_transposed ||
                (spec->kernel == 4 && spec->stride == 2 && spec->padding == 1 && !spec->accumulates),
            UNSUPPORTED,
            "a transposed convolution must be 4x4 with stride 2 and padding 1 and not accumulate, found %dx%d, stride "
            "%d, padding %d",
            spec->kernel, spec->kernel, spec->stride, spec->padding);
  ATL_CHECK(spec->backend == ATL_BACKEND_AUTO || atl_backend_is_available(spec->backend, spec->dtype), UNSUPPORTED,
            "this processor cannot run %s convolutions with %s; try auto", atl_dtype_name(spec->dtype),
            atl_backend_name(spec->backend));
  const atl_conv_t *then = spec->then;
  ATL_ASSERT(!then || (spec->is_transposed && then->n_phases == 1 && then->spec.n_in == spec->n_out &&
                       then->out_height == spec->height && then->out_width == spec->width));
  ATL_TRY(ATL_NEW(1, conv));
  set_sizes(*conv, spec);
  atl_status_t status = build(*conv, spec);
  if (status != ATL_OK) atl_conv_destroy(conv);
  return status;
}

void atl_conv_destroy(atl_conv_t **conv) {
  if (!*conv) return;
  for (int32_t i = 0; i < MAX_PHASES; i++) {
    atl_linear_destroy(&(*conv)->phases[i].linear);
    if ((*conv)->ops != NULL) (*conv)->ops->destroy(&(*conv)->phases[i].part);
  }
  ATL_DESTROY(&(*conv)->rounded);
  ATL_DESTROY(&(*conv)->part);
  ATL_DESTROY(&(*conv)->part_after);
  ATL_DESTROY(&(*conv)->gathered);
  ATL_DESTROY(conv);
}

/* row(window, window*I) <- the inputs under grid pixel (y, x). */
static void gather_pixel(const atl_conv_t *conv, const phase_t *phase, float *row, const float *x_image, int32_t y,
                         int32_t x) {
  int32_t height = conv->spec.height, width = conv->spec.width, window = conv->window;
  size_t n_in = (size_t)conv->spec.n_in, run = (size_t)window * n_in;
  int32_t from_x = x * conv->window_stride - phase->pad_x;
  int32_t first = from_x < 0 ? -from_x : 0, end = from_x + window > width ? width - from_x : window;
  for (int32_t j = 0; j < window; j++, row += run) {
    int32_t from_y = y * conv->window_stride - phase->pad_y + j;
    if (from_y < 0 || from_y >= height || first >= end) {
      memset(row, 0, run * sizeof *row);
      continue;
    }
    const float *from = x_image + ((size_t)from_y * (size_t)width + (size_t)(from_x + first)) * n_in;
    memset(row, 0, (size_t)first * n_in * sizeof *row);
    memcpy(row + (size_t)first * n_in, from, (size_t)(end - first) * n_in * sizeof *row);
    memset(row + (size_t)end * n_in, 0, (size_t)(window - end) * n_in * sizeof *row);
  }
}

static void gather(const atl_conv_t *conv, const phase_t *phase, const float *x_image, int32_t first_y, int32_t n_y) {
  int32_t width = conv->grid_width, n_pixels = n_y * width;
  int64_t row_items = (int64_t)conv->window * conv->window * conv->spec.n_in;
#pragma omp parallel for if (n_pixels * row_items >= MIN_PARALLEL_ITEMS)
  for (int32_t i = 0; i < n_pixels; i++)
    gather_pixel(conv, phase, conv->gathered + i * row_items, x_image, first_y + i / width, i % width);
}

/* out(grid_height,grid_width,O) <- a phase, a few rows of its grid at a time so that the gathered windows stay in
 * cache. */
static void run_linear(const atl_conv_t *conv, const phase_t *phase, float *out, const float *x_image) {
  int64_t n_out = conv->spec.n_out, row_items = (int64_t)conv->window * conv->window * conv->spec.n_in;
  for (int32_t y = 0; y < conv->grid_height; y += conv->grid_rows_at_once) {
    int32_t rest = conv->grid_height - y, n_y = rest < conv->grid_rows_at_once ? rest : conv->grid_rows_at_once;
    const float *rows = x_image + (int64_t)y * conv->grid_width * row_items;
    if (conv->gathered) {
      gather(conv, phase, x_image, y, n_y);
      rows = conv->gathered;
    }
    float *out_rows = out + (int64_t)y * conv->grid_width * n_out;
    atl_epilogue_t add = {.residual = conv->spec.accumulates ? out_rows : NULL, .ld_residual = n_out};
    atl_linear_apply(phase->linear, out_rows, n_out, rows, row_items, (int64_t)n_y * conv->grid_width, &add);
  }
  if (conv->spec.has_relu && conv->spec.accumulates)
    atl_activation_apply(out, out, (int64_t)conv->grid_height * conv->grid_width * n_out, ATL_ACTIVATION_RELU);
}

static void run_phase(const atl_conv_t *conv, const phase_t *phase, float *out, const float *x_image) {
  if (conv->ops != NULL)
    conv->ops->apply(phase->part, out, conv->rounded ? (const void *)conv->rounded : x_image);
  else
    run_linear(conv, phase, out, x_image);
}

/* The pixels of y that belong to a phase <- part(grid_height,grid_width,n_results). */
static void spread(const atl_conv_t *conv, const phase_t *phase, float *y_image, const float *part) {
  int64_t n = conv->n_results, width = conv->grid_width;
#pragma omp parallel for
  for (int64_t y = 0; y < conv->grid_height; y++) {
    const float *from = part + y * width * n;
    float *to = y_image + ((y * conv->out_stride + phase->out_y) * conv->out_width + phase->out_x) * n;
    for (int64_t x = 0; x < width; x++) memcpy(to + x * conv->out_stride * n, from + x * n, (size_t)n * sizeof *to);
  }
}

/* Rounds x to bf16, once for all phases. */
static void round_picture(const atl_conv_t *conv, const float *x_image) {
  int64_t row_items = (int64_t)conv->spec.width * conv->spec.n_in;
#pragma omp parallel for if (conv->spec.height * row_items >= MIN_PARALLEL_ITEMS)
  for (int64_t y = 0; y < conv->spec.height; y++)
    atl_bf16_round(conv->rounded + y * row_items, x_image + y * row_items, row_items);
}

static void run_picture(const atl_conv_t *conv, float *y_image, const float *x_image) {
  if (conv->rounded) round_picture(conv, x_image);
  if (!conv->part) {
    run_phase(conv, &conv->phases[0], y_image, x_image);
    return;
  }
  for (int32_t p = 0; p < conv->n_phases; p++) {
    run_phase(conv, &conv->phases[p], conv->part, x_image);
    if (conv->spec.then) atl_conv_apply(conv->spec.then, conv->part_after, conv->part, 1);
    spread(conv, &conv->phases[p], y_image, conv->spec.then ? conv->part_after : conv->part);
  }
}

void atl_conv_apply(const atl_conv_t *conv, float *y, const float *x, int64_t n_images) {
  int64_t x_items = (int64_t)conv->spec.height * conv->spec.width * conv->spec.n_in;
  int64_t y_items = (int64_t)conv->out_height * conv->out_width * conv->n_results;
  for (int64_t i = 0; i < n_images; i++) run_picture(conv, y + i * y_items, x + i * x_items);
}

int32_t atl_conv_out_height(const atl_conv_t *conv) { return conv->out_height; }
int32_t atl_conv_out_width(const atl_conv_t *conv) { return conv->out_width; }
int32_t atl_conv_n_results(const atl_conv_t *conv) { return conv->n_results; }

size_t atl_conv_bytes(const atl_conv_t *conv) {
  size_t bytes = (part_items(conv) + part_after_items(conv) + gathered_items(conv)) * sizeof(float) +
                 rounded_items(conv) * sizeof *conv->rounded;
  for (int32_t i = 0; i < conv->n_phases; i++)
    bytes += conv->ops != NULL ? conv->ops->bytes(conv->phases[i].part) : atl_linear_bytes(conv->phases[i].linear);
  return bytes;
}
