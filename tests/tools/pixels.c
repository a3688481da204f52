/* pixels A.png B.png [N_ROWS]: compares the pixels of two pictures, or of their first N_ROWS rows. Exit code 0 if they
 * agree, 1 if not, 2 for bad input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/image.h"

int main(int argc, char **argv) {
  atl_image_t a = {0}, b = {0};
  if (argc < 3) return 2;
  if (atl_image_load(argv[1], &a) != ATL_OK || atl_image_load(argv[2], &b) != ATL_OK) {
    printf("# %s\n", atl_status_message());
    return 2;
  }
  int32_t n_rows = argc > 3 ? atoi(argv[3]) : a.height;
  int is_comparable = a.width == b.width && a.height == b.height && a.n_channels == b.n_channels && n_rows <= a.height;
  size_t n_bytes = (size_t)n_rows * (size_t)a.width * (size_t)a.n_channels;
  int is_same = is_comparable && memcmp(a.pixels, b.pixels, n_bytes) == 0;
  printf("# %d of %d rows of %d x %d pixels %s\n", n_rows, a.height, a.width, a.height, is_same ? "agree" : "differ");
  atl_image_clear(&a);
  atl_image_clear(&b);
  return !is_same;
}
