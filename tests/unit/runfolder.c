// TEST np=1
#include "proto/runfolder.h"

#include "tests/support/tap.h"

static int is_name(const char *id, const char *want) {
  char name[ATL_FOLDER_BYTES];
  return strcmp(atl_runfolder_name(id, name), want) == 0;
}

/* Is the id's folder name a cleaned one: safe characters, not hidden, not like an option, and with a hash? */
static int is_cleaned(const char *id) {
  char name[ATL_FOLDER_BYTES];
  atl_runfolder_name(id, name);
  size_t n = strlen(name);
  return strcmp(id, name) != 0 && n >= 17 && n < ATL_FOLDER_BYTES && name[0] != '.' && name[0] != '-' &&
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

int main(void) {
  TAP_OK(is_name("12", "12") && is_name("red-heart_v1.5", "red-heart_v1.5"), "a plain id is its own folder");
  static const char *const bad_ids[] = {
      "..",
      ".",
      "../x",
      "a/b",
      "/etc/passwd",
      "-rf",
      "run.json",
      "run.json.tmp.1",
      "index.html",
      ".candidates",
      "l\xc3\xb6we",
      "a b",
      "a\nb",
      "",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  for (size_t i = 0; i < sizeof bad_ids / sizeof bad_ids[0]; i++)
    TAP_OK(is_cleaned(bad_ids[i]), "an unsafe id is cleaned");
  char a[ATL_FOLDER_BYTES], b[ATL_FOLDER_BYTES];
  TAP_OK(strcmp(atl_runfolder_name("a/b", a), atl_runfolder_name("a?b", b)) != 0,
         "ids that are cleaned to the same text differ by their hashes");
  char path[ATL_PATH_BYTES], *const long_out = (char[ATL_PATH_BYTES]){0};
  memset(long_out, 'x', ATL_PATH_BYTES - 8);
  TAP_STATUS(ATL_OK, atl_runfolder_candidate_path("out", "12", 7, path), "a candidate's path");
  TAP_OK(strcmp(path, "out/.candidates/12-7.png") == 0, "is below .candidates");
  TAP_STATUS(ATL_OK, atl_runfolder_position_path("out", "12", 1, path), "the path of a position");
  TAP_OK(strcmp(path, "out/12/rank-001.png") == 0, "is in the prompt's folder");
  TAP_STATUS(ATL_INPUT, atl_runfolder_candidate_path(long_out, "12", 7, path), "a path that is too long is rejected");

  atl_arena_t arena = {0};
  atl_image_text_t texts[ATL_MAX_PNG_TEXTS];
  int n = 0;
  atl_picture_facts_t facts = {"red heart", "1", UINT64_MAX, 3, 0.25f, "emoji"};
  TAP_STATUS(ATL_OK, atl_runfolder_png_texts(&facts, &arena, texts, &n), "text chunks of a picture");
  TAP_OK(n == 7 && strcmp(texts[1].text, "red heart") == 0 && strcmp(texts[3].text, "18446744073709551615") == 0 &&
             strcmp(texts[5].text, "0.25") == 0 && strcmp(texts[6].key, "model") == 0,
         "prompt, seed, score, model");
  facts.score = NAN;
  TAP_OK(atl_runfolder_png_texts(&facts, &arena, texts, &n) == ATL_OK && n == 6, "a NaN score is left out");
  atl_arena_clear(&arena);
  return tap_done();
}
