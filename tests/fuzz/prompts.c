// TEST np=1
/* Damaged prompt files (lines and JSON lines), then split into shards. */
#include "coordinator/job/prompts.h"

#include "tests/support/mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  atl_prompts_t prompts;
  const atl_prompt_defaults_t defaults = {.seed = 7, .n_samples = 4};
  if (atl_prompts_parse((const char *)data, n, "fuzz", &defaults, &prompts) != ATL_OK) return 0;
  mutate_n_read++;
  atl_prompts_shard(&prompts, "2/3");
  atl_prompts_clear(&prompts);
  return 0;
}

static void add_text(mutate_corpus_t *corpus, const char *text) { mutate_add_seed(corpus, text, strlen(text)); }

static void add_seeds(mutate_corpus_t *corpus) {
  mutate_add_file(corpus, "tests/golden/prompts.jsonl");
  add_text(corpus, "a red heart\n\n  a green fox  \r\nein gr\xc3\xbc"
                   "ner Fuchs\n");
  add_text(corpus,
           "{\"prompt\":\"a red heart\",\"id\":\"h\",\"samples\":16,\"seed\":7}\n{\"id\":12,\"prompt\":\"\\u2665\"}\n");
  add_text(corpus, "\xef\xbb\xbf"
                   "one line without an end");
}

/* A prompt is at least two bytes with its newline; its record, key, id and text take about 400. */
MUTATE_MAIN(add_seeds, 1 << 20, 1024)
