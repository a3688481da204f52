// TEST np=1
#include "coordinator/runfolder/contact.h"

#include <stdlib.h>

#include "common/image.h"
#include "common/memory.h"
#include "coordinator/runfolder/font.h"
#include "tests/support/tap.h"

enum { MAX_PICTURES = 40 };
static char the_root[] = "/tmp/atelier-contact-XXXXXX", the_sheet[64];
static char the_paths[MAX_PICTURES][64];
static atl_contact_picture_t the_pictures[MAX_PICTURES];

/* n pictures of one colour each. */
static atl_status_t make_pictures(int32_t n, int32_t width, int32_t height) {
  for (int32_t i = 0; i < n; i++) {
    atl_image_t image;
    ATL_TRY(atl_image_init(&image, width, height, 3));
    for (int32_t j = 0; j < width * height; j++) image.pixels[3 * j] = (uint8_t)(200 - i), image.pixels[3 * j + 1] = 7;
    snprintf(the_paths[i], sizeof the_paths[i], "%s/%d.png", the_root, i);
    ATL_TRY(atl_image_save(the_paths[i], &image, 1, NULL, 0));
    atl_image_clear(&image);
    the_pictures[i] = (atl_contact_picture_t){the_paths[i], i, i % 2 ? NAN : 0.5f};
  }
  return ATL_OK;
}

/* Pixels on the sheet of picture i's colour; -1 when the sheet is not width wide. */
static int64_t count_pixels(int32_t i, int32_t width) {
  atl_image_t sheet;
  int64_t n = 0;
  if (atl_image_load(the_sheet, &sheet) != ATL_OK) return -1;
  for (int64_t j = 0; j < (int64_t)sheet.width * sheet.height; j++) {
    const uint8_t *pixel = sheet.pixels + 3 * j;
    n += pixel[0] == 200 - i && pixel[1] == 7 && pixel[2] == 0;
  }
  if (sheet.width != width) printf("# %d wide\n", sheet.width), n = -1;
  atl_image_clear(&sheet);
  return n;
}

static int save(int32_t n, const char *caption) {
  return atl_contact_save(the_sheet, caption, the_pictures, n) == ATL_OK;
}

int main(void) {
  char command[64];
  if (!mkdtemp(the_root)) return 1;
  snprintf(the_sheet, sizeof the_sheet, "%s/grid.png", the_root);
  TAP_STATUS(ATL_OK, make_pictures(8, 32, 32), "eight small pictures");
  TAP_OK(save(8, "a red heart"), "their sheet");
  TAP_OK(count_pixels(0, 4 * 140 - 12 + 32) == 128 * 128 && count_pixels(7, 4 * 140 - 12 + 32) == 128 * 128,
         "four columns, each picture four times as large, whole");
  TAP_STATUS(ATL_OK, make_pictures(2, 300, 200), "two that are large enough");
  TAP_OK(save(2, "") && count_pixels(1, 2 * 312 - 12 + 32) == 300 * 200, "as they are, without a caption");
  TAP_STATUS(ATL_OK, make_pictures(3, 2001, 3), "three wide ones");
  TAP_OK(save(3, "x") && count_pixels(2, 3 * (1001 + 12) - 12 + 32) == 1001 * 2, "halved, rounded up");
  TAP_STATUS(ATL_OK, make_pictures(1, 1, 1), "one pixel");
  TAP_OK(save(1, "l\xc3\xb6we \xff\xc3 a caption that is much too long for a sheet of one picture, and then goes on "
                 "and on, wordless"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
         "any bytes are a caption");
  TAP_OK(count_pixels(0, 360) == 128 * 128, "on a sheet as wide as a caption needs");
  TAP_STATUS(ATL_OK, make_pictures(MAX_PICTURES, 4, 4), "forty");
  TAP_OK(save(MAX_PICTURES, "forty") && count_pixels(39, 8 * 140 - 12 + 32) == 128 * 128,
         "eight columns leave no hole");
  snprintf(the_paths[1], sizeof the_paths[1], "%s/none.png", the_root);
  TAP_STATUS(ATL_INPUT, atl_contact_save(the_sheet, "x", the_pictures, 3), "a missing picture is an error");
  TAP_STATUS(ATL_INTERNAL, atl_contact_save(the_sheet, "x", the_pictures, 0), "so is none");
  TAP_OK(atl_font_get('A') != atl_font_get('B') && atl_font_get(0xf6) == atl_font_get(0x65e5),
         "what the font lacks is a box");
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  snprintf(command, sizeof command, "rm -rf %s", the_root);
  return system(command) != 0 || tap_done();
}
