// TEST np=1
// With an argument, leaves its gallery in that folder (tests/e2e/gallery.sh looks at it with a browser).
#include "coordinator/runfolder/gallery.h"

#include <stdlib.h>

#include "common/file.h"
#include "common/image.h"
#include "common/memory.h"
#include "coordinator/runfolder/contact.h"
#include "proto/runfolder.h"
#include "tests/support/tap.h"

enum { N_PICTURES = 4 };

static const char *const the_hostile =
    "</script><script>document.title='broken'</script>\" onload=\"x' & l\xc3\xb6we \xe6\x97\xa5";
static atl_gallery_picture_t the_pictures[3][N_PICTURES];
static atl_gallery_prompt_t the_prompts[3] = {{.id = "1", .text = "a red heart", .seed = 7, .n_samples = 9},
                                              {.id = "<b>&", .seed = UINT64_MAX, .n_samples = 9},
                                              {.id = "three", .text = "a snowy owl", .seed = 7, .n_samples = 9}};

/* Prompts in the order 1, 0, 2 by their best score; a rank is 1/8 below the one before it. */
static atl_status_t make_pictures(const char *folder, bool is_ranked) {
  static const float the_best[] = {0.75f, 0.875f, 0.625f};
  the_prompts[1].text = the_hostile;
  for (int i = 0; i < 3; i++) {
    char path[ATL_PATH_BYTES], name[ATL_FOLDER_BYTES];
    ATL_TRY(atl_runfolder_path(folder, atl_runfolder_name(the_prompts[i].id, name), path));
    ATL_TRY(atl_file_make_directory(path));
    for (int j = 0; j < N_PICTURES; j++) {
      atl_gallery_picture_t *picture = &the_pictures[i][j];
      atl_image_t image;
      *picture = (atl_gallery_picture_t){.sample = 8 - j, .score = is_ranked ? the_best[i] - 0.125f * (float)j : NAN};
      snprintf(picture->file, sizeof picture->file, "%s/rank-%03d.png", name, j + 1);
      memset(picture->sha256, 'a' + i, 64);
      ATL_TRY(atl_image_init(&image, 16, 16, 3));
      memset(image.pixels, 60 * i + 20 * j, 16 * 16 * 3);
      ATL_TRY(atl_runfolder_path(folder, picture->file, path));
      ATL_TRY(atl_image_save(path, &image, 6, NULL, 0));
      atl_image_clear(&image);
    }
    the_prompts[i].pictures = the_pictures[i];
    the_prompts[i].n_pictures = N_PICTURES;
  }
  return ATL_OK;
}

static size_t count(const char *text, const char *words) {
  size_t n = 0;
  for (; text && (text = strstr(text, words)); text++) n++;
  return n;
}

static char *save(const char *folder, int64_t max_embed_bytes) {
  atl_gallery_t gallery = {.folder = folder,
                           .model = "tiny & <new>",
                           .command = "atelier generate --model 'm \"x\"'",
                           .made = "2026-03-01T12:03:07Z",
                           .prompts = the_prompts,
                           .n_prompts = 3,
                           .max_embed_bytes = max_embed_bytes};
  char path[ATL_PATH_BYTES], *text = NULL;
  size_t n = 0;
  TAP_STATUS(ATL_OK, atl_gallery_save(&gallery), "a gallery");
  if (atl_runfolder_path(folder, "index.html", path) == ATL_OK)
    TAP_STATUS(ATL_OK, atl_file_read(path, 1 << 24, &text, &n), "is written");
  return text;
}

static void test_page(const char *folder) {
  char *text = save(folder, ATL_GALLERY_EMBED_BYTES);
  TAP_OK(count(text, "<figure ") == 12 && count(text, "<section ") == 3, "every picture, by prompt");
  TAP_OK(count(text, "src=\"data:image/png;base64,") == 12 && count(text, "class=\"tiny\"") == 12,
         "embedded, and tiny");
  TAP_OK(count(text, "width=\"16\" height=\"16\"") == 12, "with their sizes");
  TAP_OK(count(text, "<script>") == 1 && count(text, "</script>") == 1, "the only script is the page's");
  TAP_OK(count(text, "alt=\"&lt;/script&gt;&lt;script&gt;document.title=&#39;broken&#39;&lt;/script&gt;&quot; "
                     "onload=&quot;x&#39; &amp;") == 4,
         "texts are escaped in attributes");
  TAP_OK(count(text, "data-id=\"&lt;b&gt;&amp;\"") == 1 && count(text, "model tiny &amp; &lt;new&gt;") == 1,
         "so are ids and the model");
  TAP_OK(count(text, "data-command=\"atelier generate --model &#39;m &quot;x&quot;&#39;\"") == 1, "and the command");
  TAP_OK(count(text, "data-seed=\"18446744073709551615\"") == 1, "seeds are whole");
  TAP_OK(count(text, "http") == 1 && count(text, "http-equiv") == 1, "nothing of the network");
  ATL_DESTROY(&text);
}

int main(int argc, char **argv) {
  char root[] = "/tmp/atelier-gallery-XXXXXX", command[64];
  if (argc > 1) {
    TAP_STATUS(ATL_OK, make_pictures(argv[1], true), "pictures");
    char *text = save(argv[1], ATL_GALLERY_EMBED_BYTES);
    ATL_DESTROY(&text);
    return tap_done();
  }
  if (!mkdtemp(root)) return 1;
  TAP_STATUS(ATL_OK, make_pictures(root, true), "pictures");
  test_page(root);
  char *text = save(root, 100);
  TAP_OK(count(text, "data:image") == 0 && count(text, "src=\"1/rank-001.png\"") == 1, "many bytes are linked");
  ATL_DESTROY(&text);
  TAP_STATUS(ATL_OK, make_pictures(root, false), "pictures without scores");
  text = save(root, 100);
  TAP_OK(count(text, "data-score=\"\"") == 12 && count(text, "nan") == 0, "have none on the page");
  ATL_DESTROY(&text);
  snprintf(the_pictures[0][0].file, sizeof the_pictures[0][0].file, "missing.png");
  atl_gallery_t gallery = {
      .folder = root, .model = "", .command = "", .made = "", .prompts = the_prompts, .n_prompts = 1};
  TAP_STATUS(ATL_INPUT, atl_gallery_save(&gallery), "a missing picture is an error");
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  snprintf(command, sizeof command, "rm -rf %s", root);
  return system(command) != 0 || tap_done();
}
