// TEST np=1
// encode, decode and score from their command lines: codes go round through both file forms, the best label is the
// right one, and bad input is refused without output.
#include <fcntl.h>
#include <unistd.h>

#include "common/file.h"
#include "common/image.h"
#include "common/json.h"
#include "common/memory.h"
#include "coordinator/commands/command.h"
#include "tests/support/convert.h"
#include "tests/support/tap.h"

enum { MAX_WORDS = 16 };

typedef atl_status_t (*command_t)(int argc, char **argv);

static char the_folder[] = "/tmp/atelier-test-XXXXXX";

static const char *in_folder(char path[128], const char *name) {
  snprintf(path, 128, "%s/%s", the_folder, name);
  return path;
}

/* Runs a command with standard output going to folder/stdout. Words end with NULL. */
static atl_status_t run(command_t command, const char *const *words) {
  char *argv[MAX_WORDS + 1], path[128];
  int argc = 0;
  while (words[argc]) {
    argv[argc] = (char *)words[argc];
    argc++;
  }
  argv[argc] = NULL;
  fflush(stdout);
  int kept = dup(1), file = open(in_folder(path, "stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(file, 1);
  atl_status_t status = command(argc, argv);
  fflush(stdout);
  dup2(kept, 1);
  close(kept);
  close(file);
  return status;
}
#define RUN(command, ...) run(command, (const char *const[]){#command, __VA_ARGS__, NULL})

/* A red disc on white, larger than the model and not square. */
static atl_status_t draw(const char *path) {
  atl_image_t image;
  ATL_TRY(atl_image_init(&image, 120, 100, 3));
  for (int y = 0; y < 100; y++)
    for (int x = 0; x < 120; x++) {
      int is_inside = (x - 60) * (x - 60) + (y - 50) * (y - 50) < 40 * 40;
      uint8_t *pixel = image.pixels + (y * 120 + x) * 3;
      pixel[0] = is_inside ? 220 : 255, pixel[1] = pixel[2] = is_inside ? 40 : 255;
    }
  atl_status_t status = atl_image_save(path, &image, ATL_IMAGE_LEVEL, NULL, 0);
  atl_image_clear(&image);
  return status;
}

static atl_status_t append_stdout(const char *name) {
  char from[128], to[128], *text;
  size_t n;
  ATL_TRY(atl_file_read(in_folder(from, "stdout"), 1 << 20, &text, &n));
  atl_status_t status = atl_file_write(in_folder(to, name), text, n);
  ATL_DESTROY(&text);
  return status;
}

static int same_files(const char *a, const char *b) {
  atl_file_map_t x, y;
  if (atl_file_map(a, &x) != ATL_OK) return 0;
  int is_same = atl_file_map(b, &y) == ATL_OK;
  if (is_same) {
    is_same = x.n_bytes == y.n_bytes && memcmp(x.bytes, y.bytes, x.n_bytes) == 0;
    atl_file_unmap(&y);
  }
  atl_file_unmap(&x);
  return is_same;
}

static void test_codes(const char *model, const char *picture) {
  char lines[128], tensors[128], first[128], second[128], a[128], b[128];
  in_folder(lines, "codes.jsonl"), in_folder(tensors, "codes.safetensors");
  in_folder(first, "first"), in_folder(second, "second");
  TAP_STATUS(ATL_OK, RUN(atl_command_encode, "--model", model, picture, picture), "encode prints lines");
  TAP_STATUS(ATL_OK, append_stdout("codes.jsonl"), "which are kept");
  TAP_STATUS(ATL_OK, RUN(atl_command_encode, "--model", model, picture, picture, "--out", tensors),
             "encode writes a tensor file");
  TAP_STATUS(ATL_OK, RUN(atl_command_decode, "--model", model, "--tokens", lines, "--out", first), "lines are decoded");
  TAP_STATUS(ATL_OK, RUN(atl_command_decode, "--model", model, "--tokens", tensors, "--out", second),
             "tensors are decoded");
  TAP_OK(same_files(in_folder(a, "first/00002.png"), in_folder(b, "second/00002.png")), "to the same bytes");
  TAP_STATUS(ATL_INPUT, RUN(atl_command_decode, "--model", model, "--tokens", lines, "--out", first),
             "a folder with files in it is refused");
}

static void test_bad_codes(const char *model) {
  static const char *const bad[] = {"{\"codes\": [1, 2]}\n", "{\"codes\": 7}\n", "not JSON\n", "", "[]\n",
                                    "\1\2\3\4\5\0\0\0 short"};
  char path[128], out[128];
  in_folder(path, "bad"), in_folder(out, "never");
  for (int i = 0; i < 6; i++) {
    TAP_STATUS(ATL_OK, atl_file_write(path, bad[i], i == 5 ? 14 : strlen(bad[i])), "bad codes");
    TAP_STATUS(ATL_INPUT, RUN(atl_command_decode, "--model", model, "--tokens", path, "--out", out), "are refused");
  }
  TAP_OK(!atl_file_exists(out), "and nothing is written");
}

static void test_score(const char *model, const char *picture) {
  char labels[128], path[128];
  json_t *line = NULL;
  const char *best = "";
  in_folder(labels, "labels.txt");
  TAP_STATUS(ATL_OK, atl_file_write(labels, "palm tree\nred circle\r\n\npizza\n", 29), "labels");
  TAP_STATUS(ATL_OK, RUN(atl_command_score, "--model", model, "--image", picture, "--labels", labels, "--json"),
             "a picture is classified");
  TAP_STATUS(ATL_OK, atl_json_load(in_folder(path, "stdout"), &line), "as JSON");
  if (line) atl_json_get_text(line, path, "best", &best);
  TAP_OK(strcmp(best, "red circle") == 0, "rightly");
  TAP_OK(line && json_array_size(json_object_get(line, "scores")) == 3, "with all scores");
  json_decref(line);
  TAP_STATUS(ATL_OK, RUN(atl_command_score, "--model", model, "--image", picture, "--text", "pizza"), "or as a table");
  TAP_STATUS(ATL_INPUT, RUN(atl_command_score, "--model", model, "--image", labels, "--text", "pizza"),
             "what is not a picture is refused");
  TAP_STATUS(ATL_INPUT, RUN(atl_command_score, "--model", model, "--image", picture, "--text", "\xff"),
             "text that is not UTF-8 is refused");
  TAP_STATUS(ATL_USAGE, RUN(atl_command_score, "--model", model, "--image", picture), "texts are asked for");
  TAP_STATUS(ATL_USAGE, RUN(atl_command_encode, picture), "a model is asked for");
}

int main(void) {
  char picture[128];
  if (!mkdtemp(the_folder)) return 1;
  TAP_STATUS(ATL_OK, draw(in_folder(picture, "disc.png")), "a picture");
  test_codes("weights/emoji", picture);
  test_bad_codes("weights/emoji");
  test_score("weights/emoji", picture);
  nftw(the_folder, converted_remove, 8, FTW_DEPTH | FTW_PHYS);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
