/* Contact sheet: pictures in equal cells. The number of columns leaves the fewest holes while the sheet is about square
 * or somewhat wider. Text is drawn with coordinator/runfolder/font and, like small pictures, enlarged by integer
 * factors. */
#include "coordinator/runfolder/contact.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/image.h"
#include "common/memory.h"
#include "common/utf8.h"
#include "coordinator/runfolder/font.h"

enum {
  MARGIN = 16,
  GAP = 12,
  MIN_CELL = 128,   /* pixels; smaller pictures are enlarged towards it */
  MAX_WIDTH = 4096, /* pixels of all columns; larger pictures are reduced */
  MIN_WIDTH = 360,  /* pixels of the sheet, so that a caption fits */
  MAX_CAPTION_LINES = 3,
  ADVANCE = ATL_FONT_COLUMNS + 1,
};

typedef struct {
  uint8_t r, g, b;
} color_t;
static const color_t paper_color = {250, 250, 248}, text_color = {28, 28, 30}, score_color = {118, 118, 122};

typedef struct {
  atl_image_t *pictures; /* RGB */
  int32_t n, n_columns, n_rows;
  int32_t up, down;                /* integer scale factors; one of them is 1 */
  int32_t cell_width, cell_height; /* pixels of a scaled picture */
  int32_t label_height, text_scale;
  int32_t left, top; /* of the first cell */
  int32_t width, height;
  int32_t n_caption_lines;
} layout_t;

static void put_pixel(atl_image_t *sheet, int64_t x, int64_t y, color_t color) {
  if (x < 0 || y < 0 || x >= sheet->width || y >= sheet->height) return;
  uint8_t *pixel = sheet->pixels + 3 * (y * sheet->width + x);
  pixel[0] = color.r, pixel[1] = color.g, pixel[2] = color.b;
}

static void fill(atl_image_t *sheet, int64_t x, int64_t y, int32_t width, int32_t height, color_t color) {
  for (int32_t j = 0; j < height; j++)
    for (int32_t i = 0; i < width; i++) put_pixel(sheet, x + i, y + j, color);
}

static void draw_glyph(atl_image_t *sheet, const uint8_t *rows, int32_t x, int32_t y, int32_t scale, color_t color) {
  for (int32_t j = 0; j < ATL_FONT_ROWS; j++)
    for (int32_t i = 0; i < ATL_FONT_COLUMNS; i++)
      if (rows[j] >> (ATL_FONT_COLUMNS - 1 - i) & 1) fill(sheet, x + i * scale, y + j * scale, scale, scale, color);
}

/* Decodes one character of the n bytes at *text and advances both; a byte that is not UTF-8 counts as one character. */
static uint32_t next_character(const char **text, size_t *n) {
  uint32_t code = 0;
  size_t length = atl_utf8_get(*text, *n, &code);
  if (length == 0) length = 1;
  *text += length;
  *n -= length;
  return code;
}

static void draw_text(atl_image_t *sheet, const char *text, size_t n, int32_t x, int32_t y, int32_t scale,
                      color_t color) {
  for (; n > 0; x += ADVANCE * scale) draw_glyph(sheet, atl_font_get(next_character(&text, &n)), x, y, scale, color);
}

/* Bytes of the longest prefix that has at most n_max characters and ends at a blank if there is one. */
static size_t find_break(const char *text, size_t n, int32_t n_max) {
  const char *at = text;
  size_t left = n, at_blank = 0;
  for (int32_t i = 0; i < n_max && left > 0; i++) {
    if (*at == ' ') at_blank = n - left;
    next_character(&at, &left);
  }
  return left == 0 || *at == ' ' || at_blank == 0 ? n - left : at_blank;
}

/* Breaks the caption into lines, draws them unless sheet is NULL, and returns their number. A caption of more than
 * MAX_CAPTION_LINES lines is cut and ends in "...". */
static int32_t lay_out_caption(atl_image_t *sheet, const layout_t *layout, const char *caption) {
  int32_t n_max = (layout->width - 2 * MARGIN) / (ADVANCE * 2), n_lines = 0;
  size_t n = strlen(caption);
  while (n > 0 && n_lines < MAX_CAPTION_LINES) {
    bool is_last = n_lines == MAX_CAPTION_LINES - 1;
    size_t length = find_break(caption, n, n_max);
    bool is_cut = is_last && length < n;
    if (is_cut) length = find_break(caption, n, n_max - 3);
    int32_t y = MARGIN + n_lines * (ATL_FONT_ROWS + 2) * 2;
    if (sheet) draw_text(sheet, caption, length, MARGIN, y, 2, text_color);
    const char *at = caption;
    int32_t n_shown = 0;
    for (size_t left = length; left > 0; n_shown++) next_character(&at, &left);
    if (sheet && is_cut) draw_text(sheet, "...", 3, MARGIN + n_shown * ADVANCE * 2, y, 2, text_color);
    caption += length, n -= length, n_lines++;
    while (n > 0 && *caption == ' ') caption++, n--;
  }
  return n_lines;
}

/* Between sqrt(n) and 1.6 sqrt(n) columns, whichever leaves the fewest holes in the last row; the smaller of equal
 * ones. */
static int32_t get_columns(int32_t n) {
  int32_t least = (int32_t)ceil(sqrt(n)), most = (int32_t)ceil(1.6 * sqrt(n)), best = least;
  for (int32_t columns = least; columns <= most && columns <= n; columns++)
    if ((columns - n % columns) % columns < (best - n % best) % best) best = columns;
  return best;
}

static void set_layout(layout_t *layout, const char *caption) {
  int32_t width = 1, height = 1;
  for (int32_t i = 0; i < layout->n; i++) {
    if (layout->pictures[i].width > width) width = layout->pictures[i].width;
    if (layout->pictures[i].height > height) height = layout->pictures[i].height;
  }
  int32_t side = width > height ? width : height;
  layout->n_columns = get_columns(layout->n);
  layout->n_rows = (layout->n + layout->n_columns - 1) / layout->n_columns;
  layout->up = side < MIN_CELL && layout->n_columns * MIN_CELL <= MAX_WIDTH ? MIN_CELL / side : 1;
  layout->down = 1 + (int32_t)((int64_t)layout->n_columns * width * layout->up / (MAX_WIDTH + 1));
  if (layout->down > 1) layout->up = 1;
  layout->cell_width = (width * layout->up + layout->down - 1) / layout->down;
  layout->cell_height = (height * layout->up + layout->down - 1) / layout->down;
  layout->text_scale = layout->cell_width < 112 ? 1 : layout->cell_width < 384 ? 2 : 3;
  layout->label_height = (ATL_FONT_ROWS + 3) * layout->text_scale;
  int32_t grid = layout->n_columns * (layout->cell_width + GAP) - GAP;
  layout->width = (grid > MIN_WIDTH - 2 * MARGIN ? grid : MIN_WIDTH - 2 * MARGIN) + 2 * MARGIN;
  layout->left = (layout->width - grid) / 2;
  layout->n_caption_lines = lay_out_caption(NULL, layout, caption);
  layout->top = MARGIN + layout->n_caption_lines * (ATL_FONT_ROWS + 2) * 2 + (layout->n_caption_lines ? GAP : 0);
  layout->height = layout->top + layout->n_rows * (layout->cell_height + layout->label_height + GAP) - GAP + MARGIN;
}

/* Mean color of the down x down pixels at (x, y) that lie in the picture. */
static color_t get_mean(const atl_image_t *picture, int32_t x, int32_t y, int32_t down) {
  int64_t sum[3] = {0}, n = 0;
  for (int32_t j = y; j < y + down && j < picture->height; j++)
    for (int32_t i = x; i < x + down && i < picture->width; i++, n++)
      for (int c = 0; c < 3; c++) sum[c] += picture->pixels[3 * ((int64_t)j * picture->width + i) + c];
  if (n == 0) return paper_color;
  return (color_t){(uint8_t)((sum[0] + n / 2) / n), (uint8_t)((sum[1] + n / 2) / n), (uint8_t)((sum[2] + n / 2) / n)};
}

static void draw_picture(atl_image_t *sheet, const atl_image_t *picture, const layout_t *layout, int32_t x, int32_t y) {
  for (int32_t j = 0; j * layout->down < picture->height * layout->up; j++)
    for (int32_t i = 0; i * layout->down < picture->width * layout->up; i++)
      put_pixel(sheet, x + i, y + j,
                get_mean(picture, i / layout->up * layout->down, j / layout->up * layout->down, layout->down));
}

static void draw_cell(atl_image_t *sheet, const layout_t *layout, const atl_contact_picture_t *facts, int32_t i) {
  char text[32];
  int32_t x = layout->left + i % layout->n_columns * (layout->cell_width + GAP);
  int32_t y = layout->top + i / layout->n_columns * (layout->cell_height + layout->label_height + GAP);
  int32_t scale = layout->text_scale, y_text = y + layout->cell_height + 3 * scale;
  draw_picture(sheet, &layout->pictures[i], layout, x, y);
  snprintf(text, sizeof text, "%d", i + 1);
  draw_text(sheet, text, strlen(text), x, y_text, scale, text_color);
  if (isnan(facts->score))
    snprintf(text, sizeof text, "s%d", facts->sample);
  else
    snprintf(text, sizeof text, fabsf(facts->score) < 1 ? "%.4f" : "%.2f", (double)facts->score);
  int32_t text_width = (int32_t)strlen(text) * ADVANCE * scale - scale;
  draw_text(sheet, text, strlen(text), x + layout->cell_width - text_width, y_text, scale, score_color);
}

static atl_status_t save_sheet(const char *path, const char *caption, const atl_contact_picture_t *facts,
                               layout_t *layout) {
  atl_image_t sheet = {0};
  set_layout(layout, caption);
  ATL_TRY(atl_image_init(&sheet, layout->width, layout->height, 3));
  fill(&sheet, 0, 0, sheet.width, sheet.height, paper_color);
  lay_out_caption(&sheet, layout, caption);
  for (int32_t i = 0; i < layout->n; i++) draw_cell(&sheet, layout, &facts[i], i);
  atl_status_t status = atl_image_save(path, &sheet, ATL_IMAGE_LEVEL, &(atl_image_text_t){"prompt", caption}, 1);
  atl_image_clear(&sheet);
  return status;
}

atl_status_t atl_contact_save(const char *path, const char *caption, const atl_contact_picture_t *pictures,
                              int32_t n_pictures) {
  layout_t layout = {.n = n_pictures};
  ATL_CHECK(n_pictures > 0, INTERNAL, "%s: a contact sheet needs pictures, found none", path);
  ATL_TRY(ATL_NEW(n_pictures, &layout.pictures));
  atl_status_t status = ATL_OK;
  for (int32_t i = 0; i < n_pictures && status == ATL_OK; i++) {
    status = atl_image_load(pictures[i].path, &layout.pictures[i]);
    if (status == ATL_OK) atl_image_drop_alpha(&layout.pictures[i]);
  }
  if (status == ATL_OK) status = save_sheet(path, caption, pictures, &layout);
  for (int32_t i = 0; i < n_pictures; i++) atl_image_clear(&layout.pictures[i]);
  ATL_DESTROY(&layout.pictures);
  return status;
}
