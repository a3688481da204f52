// TEST np=1
#include "coordinator/job/prompts.h"

#include "common/memory.h"
#include "common/rng.h"
#include "tests/support/tap.h"

static const atl_prompt_defaults_t the_defaults = {.seed = 7, .n_samples = 16};
static atl_prompts_t the_prompts;

static atl_status_t parse_bytes(const char *text, size_t n) {
  atl_prompts_clear(&the_prompts);
  return atl_prompts_parse(text, n, "prompts.txt", &the_defaults, &the_prompts);
}

static atl_status_t parse(const char *text) { return parse_bytes(text, strlen(text)); }

static int has(int i, const char *id, const char *text, uint64_t seed, int n_samples) {
  const atl_prompt_t *prompt = &the_prompts.items[i];
  return i < the_prompts.n && strcmp(prompt->id, id) == 0 && strcmp(prompt->text, text) == 0 && prompt->seed == seed &&
         prompt->n_samples == n_samples && prompt->key == atl_rng_prompt_key(id);
}

static void refuses(const char *text, const char *words) {
  char name[200];
  snprintf(name, sizeof name, "refused: %s", words);
  TAP_STATUS(ATL_INPUT, parse(text), name);
  int is_said = strstr(atl_status_message(), words) != NULL;
  TAP_OK(is_said && the_prompts.n == 0, "the message says so");
  if (!is_said) printf("# %s\n", atl_status_message());
}

static void test_lines(void) {
  TAP_STATUS(ATL_OK, parse("a red heart\n\n  two blanks \t\r\nl\xc3\xb6we"), "lines, one of them empty");
  TAP_OK(the_prompts.n == 3, "empty lines are skipped");
  TAP_OK(has(0, "1", "a red heart", 7, 16), "the first line");
  TAP_OK(has(1, "3", "two blanks", 7, 16), "empty lines are counted, blanks cut");
  TAP_OK(has(2, "4", "l\xc3\xb6we", 7, 16), "UTF-8, and no newline at the end");
  TAP_STATUS(ATL_OK, parse("\xef\xbb\xbfheart\n"), "a byte order mark");
  TAP_OK(has(0, "1", "heart", 7, 16), "is no part of the prompt");
  atl_prompts_clear(&the_prompts);
  TAP_STATUS(ATL_OK, atl_prompts_load("tests/golden/prompts.jsonl", &the_defaults, &the_prompts),
             "a file of JSON lines");
  TAP_OK(the_prompts.n == 3 && has(0, "heart", "a red heart", 3, 2) && has(1, "12", "a \"blue\" </script> cat", 7, 16),
         "id, prompt, samples, seed");
  TAP_OK(has(2, "4", "owl", 7, 5), "an id that is not given is the line's number");
}

static void test_refusals(void) {
  refuses("", "an empty file");
  refuses("\n \n\t\n", "only empty lines");
  refuses("good\nbad \xff\n", "prompts.txt line 2: expected UTF-8, found byte 0xff at position 5");
  refuses("\xed\xa0\x80", "expected UTF-8");
  refuses("\xc0\xaf", "expected UTF-8");
  TAP_STATUS(ATL_INPUT, parse_bytes("a\0b", 3), "a NUL byte is refused");
  refuses("{\"prompt\": \"x\"}\n{\"prompt\": \n", "line 2: expected JSON");
  refuses("{\"prompt\": \"x\"}\nplain words\n", "line 2: expected JSON");
  refuses("{\"prompt\": \"x\"}\n[1]\n", "line 2: expected a JSON object");
  refuses("{\"prompt\": \"x\", \"sample\": 3}", "found \"sample\"");
  refuses("{\"prompt\": \"  \"}", "found an empty one");
  refuses("{\"prompt\": 3}", "prompt");
  refuses("{\"id\": \"x\"}", "prompt");
  refuses("{\"prompt\": \"x\", \"samples\": 0}", "samples");
  refuses("{\"prompt\": \"x\", \"samples\": 99999999999}", "samples");
  refuses("{\"prompt\": \"x\", \"seed\": -1}", "seed");
  refuses("{\"prompt\": \"x\", \"id\": \"\"}", "an id of 1 to 256 bytes");
  refuses("{\"prompt\": \"x\", \"id\": 1.5}", "a string or an integer");
  refuses("{\"prompt\": \"x\", \"id\": \"2\"}\n{\"prompt\": \"y\"}", "found \"2\" for \"x\" and \"y\"");
  refuses("{\"prompt\": \"x\", \"id\": \"/\"}\n{\"prompt\": \"y\", \"id\": \"_-d8b1e02e7ee93d0e\"}\n{\"prompt\": "
          "\"z\", \"id\": \"/\"}",
          "found \"/\" for");
  TAP_STATUS(ATL_INPUT, atl_prompts_load("tests/golden/missing.txt", &the_defaults, &the_prompts), "a missing file");
}

static void test_texts(void) {
  static atl_text_list_t texts = {.items = {" red heart ", "red heart"}, .n = 2};
  atl_prompts_clear(&the_prompts);
  TAP_STATUS(ATL_OK, atl_prompts_from_texts(&texts, &the_defaults, &the_prompts), "prompts of the command line");
  TAP_OK(the_prompts.n == 2 && has(0, "1", "red heart", 7, 16) && has(1, "2", "red heart", 7, 16), "numbered from 1");
  atl_prompts_clear(&the_prompts);
  texts.items[1] = " ";
  TAP_STATUS(ATL_INPUT, atl_prompts_from_texts(&texts, &the_defaults, &the_prompts), "an empty --prompt is refused");
  texts.n = 0;
  TAP_STATUS(ATL_USAGE, atl_prompts_from_texts(&texts, &the_defaults, &the_prompts), "no prompt is refused");
}

static void test_shards(void) {
  static const char *const the_bad[] = {"", "1", "0/2", "3/2", "1/2x", "a/b", "1/", "-1/2", "1/0", "99999999999/9"};
  int n_seen = 0;
  for (int i = 1; i <= 3; i++) {
    char shard[16];
    snprintf(shard, sizeof shard, "%d/3", i);
    if (parse("a\n\nb\nc\nd\ne\n") == ATL_OK && atl_prompts_shard(&the_prompts, shard) == ATL_OK)
      n_seen += the_prompts.n;
    if (i == 2)
      TAP_OK(the_prompts.n == 2 && has(0, "3", "b", 7, 16) && has(1, "6", "e", 7, 16),
             "a shard keeps the ids of the file");
  }
  TAP_OK(n_seen == 5, "the shards are the file");
  int n_refused = 0;
  for (size_t i = 0; i < sizeof the_bad / sizeof the_bad[0]; i++)
    n_refused += atl_prompts_shard(&the_prompts, the_bad[i]) == ATL_USAGE;
  TAP_OK(n_refused == 10, "what is no shard is refused");
  TAP_STATUS(ATL_INPUT, atl_prompts_shard(&the_prompts, "6/6"), "an empty shard is refused");
}

static void test_memory(void) {
  int n_failed = 0;
  for (int64_t i = 1; i < 40; i++) {
    atl_prompts_clear(&the_prompts);
    atl_memory_fail_after(i);
    atl_status_t status = parse("a\nb\nc\n");
    atl_memory_fail_after(0);
    n_failed += status == ATL_MEMORY && the_prompts.n == 0;
    if (status == ATL_OK) break;
  }
  TAP_OK(n_failed > 0 && the_prompts.n == 3, "running out of memory is a status");
}

int main(void) {
  test_lines();
  test_refusals();
  test_texts();
  test_shards();
  test_memory();
  atl_prompts_clear(&the_prompts);
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
