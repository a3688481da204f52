// TEST np=1
/* Tokenizers: test vectors of the reference implementations, and malformed files and texts. */
#include "model/tokenizer/tokenizer.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/file.h"
#include "common/json.h"
#include "common/memory.h"
#include "tests/support/tap.h"

enum { PATH_BYTES = 4096, MAX_OUT = 32 };

static const char *fixture(char *path, const char *name) {
  const char *root = getenv("ATL_FIXTURES");
  snprintf(path, PATH_BYTES, "%s/%s", root ? root : "tests/fixtures", name);
  return path;
}

static int ids_equal(const json_t *want, const int32_t *ids, size_t n, int is_padded) {
  size_t n_want = json_array_size(want);
  if (is_padded ? n_want < n : n_want != n) return 0;
  for (size_t i = 0; i < n_want; i++)
    if (json_integer_value(json_array_get(want, i)) != (i < n ? ids[i] : 0)) return 0;
  return 1;
}

/* Replaces control characters and '#', which TAP would interpret. */
static void tidy(char *name) {
  for (; *name; name++)
    if ((unsigned char)*name < ' ' || *name == '#') *name = ' ';
}

/* A case is {"text", "ids", "decoded"}. */
static void check_case(atl_tokenizer_t *tokenizer, const json_t *one) {
  const char *text = json_string_value(json_object_get(one, "text")), *decoded = "";
  const char *wanted = json_string_value(json_object_get(one, "decoded"));
  const int32_t *ids;
  size_t n;
  char name[200];
  snprintf(name, sizeof name, "ids and decoded text of \"%.60s\"", text);
  tidy(name);
  if (atl_tokenizer_encode(tokenizer, text, &ids, &n) != ATL_OK || !ids_equal(json_object_get(one, "ids"), ids, n, 0)) {
    TAP_OK(0, name);
    return;
  }
  int is_ok = atl_tokenizer_decode(tokenizer, ids, n, &decoded) == ATL_OK && strcmp(decoded, wanted) == 0;
  TAP_OK(is_ok, name);
  if (!is_ok) printf("# decoded \"%s\", wanted \"%s\"\n", decoded, wanted);
}

static void check_cases(const char *tokenizer_path, const char *cases_path) {
  atl_tokenizer_t *tokenizer;
  json_t *cases;
  if (!TAP_STATUS(ATL_OK, atl_tokenizer_open(tokenizer_path, &tokenizer), tokenizer_path)) return;
  if (TAP_STATUS(ATL_OK, atl_json_load(cases_path, &cases), cases_path)) {
    for (size_t i = 0; i < json_array_size(cases); i++) check_case(tokenizer, json_array_get(cases, i));
    json_decref(cases);
  }
  atl_tokenizer_destroy(&tokenizer);
}

static void check_fixtures(void) {
  char merges[PATH_BYTES], cases[PATH_BYTES];
  fixture(merges, "tokenizer/bpe_simple_vocab_16e6.txt.gz");
  check_cases(merges, fixture(cases, "tokenizer/clip.json"));
}

/* The merges of the emoji model: all lines count, which gives 512 + 1534 + 2 ids. */
static void check_emoji(void) {
  const char *merges = "weights/emoji/tokenizer.bpe.txt";
  char path[PATH_BYTES];
  atl_tokenizer_t *tokenizer;
  json_t *root;
  if (!TAP_STATUS(ATL_OK, atl_tokenizer_open(merges, &tokenizer), "the emoji merges open")) return;
  TAP_OK(atl_tokenizer_n_ids(tokenizer) == 2048, "they make 2048 ids");
  if (TAP_STATUS(ATL_OK, atl_json_load(fixture(path, "emoji/case.json"), &root), "the emoji case opens")) {
    const json_t *texts = json_object_get(root, "texts"), *ids = json_object_get(root, "ids");
    for (size_t i = 0; i < json_array_size(texts); i++) {
      int32_t out[24];
      const char *text = json_string_value(json_array_get(texts, i));
      TAP_STATUS(ATL_OK, atl_tokenizer_fill(tokenizer, text, false, out, 24), text);
      TAP_OK(ids_equal(json_array_get(ids, i), out, 24, 1), "its padded ids are the reference's");
    }
    json_decref(root);
  }
  atl_tokenizer_destroy(&tokenizer);
}

/* Four kinds of tokenizer.json; the expected ids come from another implementation (tests/golden/tokenizer/make.mjs). */
static void check_huggingface(void) {
  check_cases("tests/golden/tokenizer/bytes.json", "tests/golden/tokenizer/bytes.cases.json");
  check_cases("tests/golden/tokenizer/normalized.json", "tests/golden/tokenizer/normalized.cases.json");
  check_cases("tests/golden/tokenizer/clip.json", "tests/golden/tokenizer/clip.cases.json");
  check_cases("tests/golden/tokenizer/characters.json", "tests/golden/tokenizer/characters.cases.json");
  atl_tokenizer_t *tokenizer;
  int32_t out[6];
  if (!TAP_STATUS(ATL_OK, atl_tokenizer_open("tests/golden/tokenizer/bytes.json", &tokenizer), "one to fill from"))
    return;
  TAP_STATUS(ATL_UNSUPPORTED, atl_tokenizer_fill_clip(tokenizer, "the", false, out, 6),
             "CLIP's fill needs a start symbol");
  atl_tokenizer_destroy(&tokenizer);
  if (!TAP_STATUS(ATL_OK, atl_tokenizer_open("tests/golden/tokenizer/clip.json", &tokenizer), "another")) return;
  TAP_OK(atl_tokenizer_fill_clip(tokenizer, "the fox", false, out, 6) == ATL_OK &&
             memcmp(out, (int32_t[]){662, 513, 536, 663, 0, 0}, sizeof out) == 0,
         "CLIP's fill takes start and end from the added tokens");
  atl_tokenizer_destroy(&tokenizer);
}

/* ---- our own merges in a temporary folder: "a b", "ab c</w>", "ab ab" ---- */

static char the_folder[] = "/tmp/atelier-tokenizer-XXXXXX";

static const char *write_scratch(const char *name, const char *bytes, size_t n) {
  static char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", the_folder, name);
  if (atl_file_write(path, bytes, n) != ATL_OK) printf("# %s\n", atl_status_message());
  return path;
}

static atl_status_t open_text(const char *name, const char *text, atl_tokenizer_t **tokenizer) {
  const char *path = write_scratch(name, text, strlen(text));
  atl_status_t status = atl_tokenizer_open(path, tokenizer);
  unlink(path);
  return status;
}

static const char merges_text[] = "#version: 0.2\na b\nab c</w>\nab ab\n";

static void check_ids(atl_tokenizer_t *tokenizer, const char *text, const int32_t *want, size_t n_want) {
  const int32_t *ids;
  size_t n;
  char name[100];
  snprintf(name, sizeof name, "the ids of \"%.60s\"", text);
  tidy(name);
  atl_status_t status = atl_tokenizer_encode(tokenizer, text, &ids, &n);
  TAP_OK(status == ATL_OK && n == n_want && (n == 0 || memcmp(ids, want, n * sizeof *ids) == 0), name);
}

/* Steps that the golden files do not use, with a vocabulary of single characters. */
static void check_steps(void) {
  static const struct {
    const char *steps, *text;
    int32_t want[8];
    size_t n;
  } cases[] = {
      {"\"pre_tokenizer\":{\"type\":\"Whitespace\"}", "ab a.b", {3, 0, 2, 1}, 4},
      {"\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Removed\",\"pattern\":{\"String\":\".\"}}",
       "a.b.ab",
       {0, 1, 3},
       3},
      {"\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"a\"}", "b", {3}, 1},
      {"\"normalizer\":{\"type\":\"Strip\",\"strip_left\":false}", " ab ", {4, 3}, 2},
      {"\"normalizer\":{\"type\":\"NFD\"}", "\xC3\xA1", {0}, 1},
      {"\"added_tokens\":[{\"id\":9,\"content\":\"[m]\",\"lstrip\":true,\"rstrip\":true}]", "a [m] b", {0, 9, 1}, 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[1000];
    atl_tokenizer_t *tokenizer;
    snprintf(text, sizeof text,
             "{%s,\"model\":{\"vocab\":{\"a\":0,\"b\":1,\".\":2,\"ab\":3,\" \":4},\"merges\":[\"a b\"]}}",
             cases[i].steps);
    if (!TAP_STATUS(ATL_OK, open_text("steps.json", text, &tokenizer), cases[i].steps)) continue;
    check_ids(tokenizer, cases[i].text, cases[i].want, cases[i].n);
    atl_tokenizer_destroy(&tokenizer);
  }
}

static void check_small(void) {
  atl_tokenizer_t *tokenizer;
  if (!TAP_STATUS(ATL_OK, open_text("merges.txt", merges_text, &tokenizer), "merges of our own open")) return;
  TAP_OK(atl_tokenizer_n_ids(tokenizer) == 512 + 3 + 2, "512 bytes, 3 merges, start and end");
  /* 'a' is the 65th printable byte and has id 64, 'b' 65, 'c' 66; with </w> the ids are higher by 256. */
  check_ids(tokenizer, "ABC", (int32_t[]){513}, 1);
  check_ids(tokenizer, "abab", (int32_t[]){512, 64, 321}, 3);
  check_ids(tokenizer, "ababc", (int32_t[]){512, 513}, 2);
  check_ids(tokenizer, "ababa", (int32_t[]){514, 320}, 2);
  check_ids(tokenizer, "", NULL, 0);
  check_ids(tokenizer, " \t\r\n \xC2\xA0\xE3\x80\x80", NULL, 0);
  check_ids(tokenizer, "<|endoftext|>", (int32_t[]){516}, 1);
  const char *text;
  TAP_OK(atl_tokenizer_decode(tokenizer, (int32_t[]){513, 0, 0}, 3, &text) == ATL_OK && strcmp(text, "abc ") == 0,
         "padding is dropped when decoding");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_decode(tokenizer, (int32_t[]){517}, 1, &text), "an id too large is refused");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_decode(tokenizer, (int32_t[]){-1}, 1, &text), "a negative id is refused");
  atl_tokenizer_destroy(&tokenizer);
}

static void check_fill(void) {
  atl_tokenizer_t *tokenizer;
  if (!TAP_STATUS(ATL_OK, open_text("merges.txt", merges_text, &tokenizer), "merges open to fill from")) return;
  int32_t out[5];
  TAP_OK(atl_tokenizer_fill(tokenizer, "abc a b", false, out, 5) == ATL_OK &&
             memcmp(out, (int32_t[]){513, 320, 321, 0, 0}, sizeof out) == 0,
         "fill pads with zeros");
  TAP_OK(atl_tokenizer_fill_clip(tokenizer, "abc a b", false, out, 5) == ATL_OK &&
             memcmp(out, (int32_t[]){515, 513, 320, 321, 516}, sizeof out) == 0,
         "CLIP's fill has start and end");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_fill_clip(tokenizer, "a b a b", false, out, 5), "too long for CLIP is refused");
  TAP_OK(strstr(atl_status_message(), "--truncate") != NULL, "and the message says what to try");
  TAP_OK(atl_tokenizer_fill_clip(tokenizer, "a b a b", true, out, 5) == ATL_OK &&
             memcmp(out, (int32_t[]){515, 320, 321, 320, 516}, sizeof out) == 0,
         "cut, the last id is the end");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_fill(tokenizer, "a b a b a b", false, out, 5), "too long is refused");
  TAP_OK(atl_tokenizer_fill(tokenizer, "a b a b a b", true, out, 5) == ATL_OK && out[4] == 320, "or cut");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_fill(tokenizer, "  ", false, out, 5), "an empty text is refused");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_fill(tokenizer, "\xC3(", false, out, 5), "text that is not UTF-8 is refused");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_fill(tokenizer, "\xED\xA0\x80", false, out, 5), "a surrogate is refused");
  atl_tokenizer_destroy(&tokenizer);
}

/* A word of 60,000 letters is merged in O(n log n) without overflow. Longer texts are rejected. */
static void check_long(void) {
  enum { N = 60000 };
  static char text[2 * N];
  atl_tokenizer_t *tokenizer;
  const int32_t *ids;
  size_t n;
  if (!TAP_STATUS(ATL_OK, open_text("merges.txt", merges_text, &tokenizer), "merges open for long words")) return;
  for (int i = 0; i < N; i++) text[i] = i & 1 ? 'b' : 'a';
  TAP_OK(atl_tokenizer_encode(tokenizer, text, &ids, &n) == ATL_OK && n == N / 4 - 1 + 3, "a word of 60,000 letters");
  memset(text, 'a', sizeof text - 1);
  TAP_STATUS(ATL_INPUT, atl_tokenizer_encode(tokenizer, text, &ids, &n), "a text beyond 64 KiB is refused");
  atl_tokenizer_destroy(&tokenizer);
}

static void check_gz(void) {
  char path[PATH_BYTES];
  atl_tokenizer_t *tokenizer;
  snprintf(path, sizeof path, "%s/merges.txt.gz", the_folder);
  gzFile file = gzopen(path, "wb");
  gzwrite(file, merges_text, sizeof merges_text - 1);
  gzclose(file);
  if (TAP_STATUS(ATL_OK, atl_tokenizer_open(path, &tokenizer), "packed merges open")) {
    check_ids(tokenizer, "abc", (int32_t[]){513}, 1);
    atl_tokenizer_destroy(&tokenizer);
  }
  char *bytes;
  size_t n;
  if (TAP_STATUS(ATL_OK, atl_file_read(path, 1 << 20, &bytes, &n), "read back")) {
    write_scratch("merges.txt.gz", bytes, n - 10);
    TAP_STATUS(ATL_INPUT, atl_tokenizer_open(path, &tokenizer), "a truncated .gz is refused");
    ATL_DESTROY(&bytes);
  }
  unlink(path);
}

static void check_refusals(void) {
  static const struct {
    const char *text, *name;
    atl_status_t want;
  } cases[] = {
      {"", "an empty file", ATL_INPUT},
      {"#version: 0.2\n", "no merges", ATL_INPUT},
      {"a b\nab c\n", "no version line", ATL_INPUT},
      {"#version: 0.2\na b\nabc\n", "a line with one symbol", ATL_INPUT},
      {"#version: 0.2\na b c\n", "a line with three symbols", ATL_INPUT},
      {"#version: 0.2\na \xC3\n", "merges that are not UTF-8", ATL_INPUT},
      {"{\"model\":", "broken JSON", ATL_INPUT},
      {"{}", "JSON that is not a tokenizer", ATL_INPUT},
      {"{\"model\":{\"type\":\"WordPiece\"}}", "WordPiece", ATL_UNSUPPORTED},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "an empty vocabulary", ATL_INPUT},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "a negative id", ATL_INPUT},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999},\"merges\":[]}}", "a huge id", ATL_INPUT},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "two texts with one id", ATL_INPUT},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "a merge of unknown texts",
       ATL_INPUT},
      {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[3]}}", "a merge that is a number", ATL_INPUT},
      {"{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0},\"merges\":[]}}", "byte_fallback",
       ATL_UNSUPPORTED},
      {"{\"normalizer\":{\"type\":\"BertNormalizer\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
       "an unknown normalizer", ATL_UNSUPPORTED},
      {"{\"pre_tokenizer\":{\"type\":\"Metaspace\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
       "an unknown pre-tokenizer", ATL_UNSUPPORTED},
      {"{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(\"}},"
       "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
       "a broken pattern", ATL_INPUT},
      {"{\"decoder\":{\"type\":\"WordPiece\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}",
       "an unknown decoder", ATL_UNSUPPORTED},
  };
  atl_tokenizer_t *tokenizer;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    TAP_STATUS(cases[i].want, open_text("bad", cases[i].text, &tokenizer), cases[i].name);
    atl_tokenizer_destroy(&tokenizer);
  }
  TAP_STATUS(ATL_INPUT, atl_tokenizer_open("/nonexistent/merges.txt", &tokenizer), "a missing file");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_open(the_folder, &tokenizer), "a folder");
}

/* Makes each allocation fail once: opening and encoding report it and leak nothing. */
static void check_memory(const char *text, const char *name) {
  size_t before = atl_memory_in_use_bytes();
  const char *path = write_scratch("tokenizer", text, strlen(text));
  int n_failed = 0;
  atl_status_t status = ATL_MEMORY;
  for (int n = 1; n < 5000 && status == ATL_MEMORY; n++) {
    atl_tokenizer_t *tokenizer;
    const int32_t *ids;
    size_t n_ids;
    atl_memory_fail_after(n);
    status = atl_tokenizer_open(path, &tokenizer);
    if (status == ATL_OK) status = atl_tokenizer_encode(tokenizer, "abc \xEF\xBC\xA1&amp; ab", &ids, &n_ids);
    atl_memory_fail_after(0);
    atl_tokenizer_destroy(&tokenizer);
    n_failed += status == ATL_MEMORY;
  }
  unlink(path);
  printf("# %d allocations failed in turn\n", n_failed);
  TAP_OK(status == ATL_OK && n_failed > 10 && atl_memory_in_use_bytes() == before, name);
}

/* ---- hostile files ---- */

static bool says(const char *words) { return strstr(atl_status_message(), words) != NULL; }

/* Eight steps that each expand a character to a hundred: 10^16 bytes from one, unless they are bounded. */
static void check_growing(void) {
  static char text[8192], step[256], hundred[101];
  memset(hundred, 'a', 100);
  snprintf(step, sizeof step, "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"%s\"}", hundred);
  for (int is_added = 0; is_added <= 1; is_added++) {
    snprintf(text, sizeof text,
             "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[%s,%s,%s,%s,%s,%s,%s,%s]},\"added_tokens\":[%s],"
             "\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"type\":\"BPE\"}}",
             step, step, step, step, step, step, step, step,
             is_added ? "{\"id\":1,\"content\":\"aa\",\"normalized\":true}" : "");
    atl_tokenizer_t *tokenizer;
    const int32_t *ids;
    size_t n;
    atl_memory_reset_peak();
    atl_status_t status = open_text("growing.json", text, &tokenizer);
    if (!is_added && TAP_STATUS(ATL_OK, status, "a tokenizer with growing normalizers opens")) {
      status = atl_tokenizer_encode(tokenizer, "a", &ids, &n);
      atl_tokenizer_destroy(&tokenizer);
    }
    TAP_STATUS(ATL_INPUT, status,
               is_added ? "growing normalizers of an added token are refused on opening"
                        : "growing normalizers are refused on a text");
    TAP_OK(says("expands a text to more than 1024 KiB"), "and the message says why");
    TAP_OK(atl_memory_peak_bytes() <= 16 << 20, "and they take at most 16 MiB");
  }
}

/* Each character adds a frame with 5,000 groups to PCRE2's heap: 80 KB, and 5 GB for the whole text. */
static void check_groups(void) {
  enum { N_GROUPS = 5000, N_TEXT = 60000 };
  static char pattern[2 * N_GROUPS + 64], contents[sizeof pattern + 512], text[N_TEXT + 1];
  strcpy(pattern, "(?:");
  for (int i = 0; i < N_GROUPS; i++) memcpy(pattern + 3 + 2 * i, "()", 2);
  strcpy(pattern + 3 + 2 * N_GROUPS, "(?:a|b))*(?:c|$)");
  snprintf(contents, sizeof contents,
           "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"%s\"}},"
           "\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
           pattern);
  atl_tokenizer_t *tokenizer;
  const int32_t *ids;
  size_t n;
  if (!TAP_STATUS(ATL_OK, open_text("groups.json", contents, &tokenizer), "a pattern with 5,000 groups")) return;
  memset(text, 'a', N_TEXT);
  TAP_STATUS(ATL_INPUT, atl_tokenizer_encode(tokenizer, text, &ids, &n), "is refused on a text of 60,000 characters");
  TAP_OK(says("too much memory"), "and the message says why");
  atl_tokenizer_destroy(&tokenizer);
}

static void check_containers(void) {
  char path[PATH_BYTES];
  atl_tokenizer_t *tokenizer;
  snprintf(path, sizeof path, "%s/pipe", the_folder);
  TAP_OK(mkfifo(path, 0600) == 0, "a pipe");
  TAP_STATUS(ATL_INPUT, atl_tokenizer_open(path, &tokenizer), "is rejected without waiting for its other end");
  unlink(path);
  snprintf(path, sizeof path, "%s/bomb.gz", the_folder);
  char *block = calloc(1 << 20, 1);
  memset(block, '[', 1 << 20);
  gzFile file = gzopen(path, "wb9");
  for (int i = 0; i < 40; i++) gzwrite(file, block, 1 << 20);
  gzclose(file);
  free(block);
  atl_memory_reset_peak();
  TAP_STATUS(ATL_INPUT, atl_tokenizer_open(path, &tokenizer), "a gzip file that unpacks to a thousand times its size");
  TAP_OK(says("unpacked, found more"), "is refused for that");
  TAP_OK(atl_memory_peak_bytes() <= 16 << 20, "before it takes much memory");
  unlink(path);
}

int main(void) {
  if (mkdtemp(the_folder) == NULL) return 1;
  check_fixtures();
  check_emoji();
  check_huggingface();
  check_steps();
  check_small();
  check_fill();
  check_long();
  check_gz();
  check_refusals();
  check_memory(merges_text, "merges: no allocation failure leaks");
  check_memory("{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\","
               "\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"}]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"},"
               "\"added_tokens\":[{\"id\":4,\"content\":\"<x>\",\"normalized\":true}],"
               "\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3},\"merges\":[\"a b\"]}}",
               "tokenizer.json: no allocation failure leaks");
  check_growing();
  check_groups();
  check_containers();
  rmdir(the_folder);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
