// TEST np=1
/* Messages about JSON fields name the file, the field, what was expected and what was found. */
#include "common/json.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/memory.h"
#include "tests/support/tap.h"

static bool says(const char *words) { return strstr(atl_status_message(), words) != NULL; }

static atl_status_t parse(const char *text, json_t **root) {
  return atl_json_parse(text, strlen(text), "f.json", root);
}

static void test_fields(void) {
  json_t *root;
  int64_t integer = 0;
  double real = 0;
  bool flag = false;
  const char *text = NULL;
  TAP_STATUS(ATL_OK, parse("{\"i\": 7, \"r\": 1.5, \"b\": true, \"t\": \"x\", \"n\": null}", &root),
             "an object parses");
  TAP_STATUS(ATL_OK, atl_json_get_int(root, "f.json", "i", 0, 7, &integer), "an int in range");
  TAP_STATUS(ATL_OK, atl_json_get_real(root, "f.json", "r", &real), "a real");
  TAP_STATUS(ATL_OK, atl_json_get_bool(root, "f.json", "b", &flag), "a bool");
  TAP_STATUS(ATL_OK, atl_json_get_text(root, "f.json", "t", &text), "a text");
  TAP_OK(integer == 7 && real > 1.49 && flag && text != NULL && strcmp(text, "x") == 0, "with their values");
  TAP_STATUS(ATL_OK, atl_json_get_real(root, "f.json", "i", &real), "an integer is a real, too");
  TAP_STATUS(ATL_INPUT, atl_json_get_int(root, "f.json", "i", 8, 9, &integer), "an int out of range");
  TAP_OK(says("f.json") && says("\"i\"") && says("from 8 to 9") && says("found 7"),
         "the message has the range and the value");
  TAP_STATUS(ATL_INPUT, atl_json_get_int(root, "f.json", "r", 0, 9, &integer), "a fraction is not an int");
  TAP_STATUS(ATL_INPUT, atl_json_get_text(root, "f.json", "n", &text), "null is not a text");
  TAP_STATUS(ATL_INPUT, atl_json_get_bool(root, "f.json", "zz", &flag), "a missing field");
  TAP_OK(says("\"zz\"") && says("missing"), "is named");
  TAP_STATUS(ATL_INPUT, atl_json_get_int(NULL, "f.json", "i", 0, 1, &integer), "a field of nothing");
  json_decref(root);
}

static void test_hostile(void) {
  json_t *root;
  TAP_STATUS(ATL_INPUT, parse("{\"a\": 1, \"a\": 2}", &root), "duplicate keys are refused");
  TAP_STATUS(ATL_INPUT, parse("{\"a\": ", &root), "truncated text is refused");
  TAP_OK(says("line 1"), "with its line");
  TAP_STATUS(ATL_INPUT, parse("", &root), "empty text is refused");
  TAP_STATUS(ATL_INPUT, parse("{\"a\": 99999999999999999999}", &root), "an int beyond 64 bits is refused");
  TAP_STATUS(ATL_INPUT, parse("{\"a\": \"\xff\"}", &root), "text that is not UTF-8 is refused");
  char *deep;
  if (ATL_NEW(100001, &deep) != ATL_OK) return;
  memset(deep, '[', 100000);
  TAP_STATUS(ATL_INPUT, parse(deep, &root), "a hundred thousand brackets are refused");
  ATL_DESTROY(&deep);
}

/* Parses a list of n bytes that repeats `each`; *held_bytes is the growth of the heap while the value exists. */
static atl_status_t parse_list(const char *each, size_t n, size_t *held_bytes) {
  size_t n_each = strlen(each);
  char *text = malloc(n + 1);
  json_t *root;
  text[0] = '[';
  for (size_t i = 1; i < n; i++) text[i] = each[(i - 1) % n_each];
  text[n - 1] = ']';
  text[n] = '\0';
  struct mallinfo2 before = mallinfo2();
  atl_status_t status = parse(text, &root);
  struct mallinfo2 after = mallinfo2();
  *held_bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
  if (status == ATL_OK) json_decref(root);
  free(text);
  return status;
}

static void test_budget(void) {
  size_t held_bytes, before = 0;
  for (size_t n = 1 << 20; n <= 4 << 20; n *= 2) {
    TAP_STATUS(ATL_INPUT, parse_list("{},", n, &held_bytes), "a list of empty objects is refused");
    TAP_OK(says("far more memory"), "for the memory it would take");
    TAP_STATUS(ATL_OK, parse_list("123456789,", n - n % 10 + 1, &held_bytes), "a list of integers is read");
    TAP_OK(before == 0 || held_bytes <= 2 * before + (1 << 20), "and takes memory that grows linearly");
    before = held_bytes;
  }
}

static void test_file(void) {
  char path[] = "/tmp/atelier-json-XXXXXX";
  close(mkstemp(path));
  json_t *root = json_pack("{s:i,s:[f]}", "a", 1, "b", 0.1), *again = NULL;
  TAP_STATUS(ATL_OK, atl_json_save(root, path), "a value is saved");
  TAP_STATUS(ATL_OK, atl_json_load(path, &again), "and loaded");
  TAP_OK(json_equal(root, again), "equal");
  json_decref(root);
  json_decref(again);
  unlink(path);
  TAP_STATUS(ATL_INPUT, atl_json_load(path, &root), "a missing file is refused");
}

/* jansson keeps writing after a failed write; the first failure must be reported. */
static void test_full_disk(void) {
  char path[] = "/tmp/atelier-json-XXXXXX";
  close(mkstemp(path));
  json_t *root = json_object();
  for (char key[8] = "a"; key[0] <= 'z'; key[0]++) json_object_set_new(root, key, json_string("0123456789"));
  struct rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){100, old.rlim_max});
  atl_status_t status = atl_json_save(root, path);
  setrlimit(RLIMIT_FSIZE, &old);
  TAP_OK(status == ATL_IO && says(path) && says("writing failed: File too large"),
         "a failed write names the file and the system's reason");
  printf("# %s\n", atl_status_message());
  json_decref(root);
  unlink(path);
}

int main(void) {
  test_fields();
  test_hostile();
  test_file();
  test_budget();
  test_full_disk();
  TAP_OK(atl_memory_in_use_bytes() == 0, "all memory is given back");
  return tap_done();
}
