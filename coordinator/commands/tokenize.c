/* atelier tokenize: prints the token ids of texts and the text they decode to, as one JSON line per text. */
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/memory.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "model/checkpoint/model.h"
#include "model/tokenizer/tokenizer.h"

enum { MAX_LINE_BYTES = 1 << 16 }; /* a tokenizer takes no longer text */

typedef struct {
  const char *tokenizer, *model;
  bool clip;
} settings_t;

static const atl_option_t options[] = {
    {"tokenizer", ATL_OPTION_TEXT, offsetof(settings_t, tokenizer), "FILE", NULL,
     "read the tokenizer from FILE: CLIP merges (plain or .gz) or a Hugging Face tokenizer.json"},
    {"model", ATL_OPTION_TEXT, offsetof(settings_t, model), "DIR", NULL, "use the tokenizer of a model directory"},
    {"clip", ATL_OPTION_FLAG, offsetof(settings_t, clip), NULL, NULL, "use the CLIP tokenizer of the model directory"},
    {0}};

static const atl_usage_t usage = {
    .command = "tokenize",
    .synopsis = "(--tokenizer FILE | --model DIR [--clip]) [TEXT ...]",
    .summary = "Prints one JSON line per TEXT, or per line of standard input, with text, ids and decoded.",
    .examples = "  atelier tokenize --model weights/emoji \"red heart\"\n"
                "  atelier tokenize --tokenizer bpe_simple_vocab_16e6.txt.gz < prompts.txt",
    .options = options,
    .operands = "TEXT ..."};

static atl_status_t write_line(const char *text, const int32_t *ids, size_t n, const char *decoded) {
  json_t *list = json_array(), *line = NULL;
  for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer(ids[i]));
  if (list != NULL) line = json_pack("{s:s, s:o, s:s}", "text", text, "ids", list, "decoded", decoded);
  ATL_CHECK(line != NULL, MEMORY, "no memory for a line of %zu ids", n);
  int result = json_dumpf(line, stdout, JSON_COMPACT);
  json_decref(line);
  ATL_CHECK(result == 0 && putchar('\n') != EOF, IO, "standard output cannot be written");
  return ATL_OK;
}

static atl_status_t run_text(atl_tokenizer_t *tokenizer, const char *text) {
  const int32_t *ids;
  const char *decoded;
  size_t n;
  ATL_TRY(atl_tokenizer_encode(tokenizer, text, &ids, &n));
  ATL_TRY(atl_tokenizer_decode(tokenizer, ids, n, &decoded));
  return write_line(text, ids, n, decoded);
}

/* Reads the next line of standard input, without its end; *is_read is false after the last one. INPUT: it is too long
 * or has a NUL byte. */
static atl_status_t read_line(char line[MAX_LINE_BYTES + 2], size_t number, bool *is_read) {
  size_t n = 0;
  int c;
  while ((c = getc(stdin)) != EOF && c != '\n') {
    ATL_CHECK(c != '\0', INPUT, "standard input, line %zu: expected text, found a NUL byte", number);
    ATL_CHECK(n <= MAX_LINE_BYTES, INPUT, "standard input, line %zu: expected a text of at most %d bytes, found more",
              number, MAX_LINE_BYTES);
    line[n++] = (char)c;
  }
  ATL_CHECK(!ferror(stdin), INPUT, "standard input cannot be read");
  *is_read = n > 0 || c == '\n';
  if (n > 0 && line[n - 1] == '\r') n--;
  line[n] = '\0';
  return ATL_OK;
}

static atl_status_t run_lines(atl_tokenizer_t *tokenizer, char line[MAX_LINE_BYTES + 2]) {
  bool is_read = true;
  for (size_t number = 1;; number++) {
    ATL_TRY(read_line(line, number, &is_read));
    if (!is_read) return ATL_OK;
    ATL_TRY(run_text(tokenizer, line));
  }
}

static atl_status_t run_all(atl_tokenizer_t *tokenizer, const atl_text_list_t *texts) {
  for (int i = 0; i < texts->n; i++) ATL_TRY(run_text(tokenizer, texts->items[i]));
  if (texts->n > 0) return ATL_OK;
  char *line;
  ATL_TRY(ATL_NEW(MAX_LINE_BYTES + 2, &line));
  atl_status_t status = run_lines(tokenizer, line);
  ATL_DESTROY(&line);
  return status;
}

static atl_status_t open_of_model(const settings_t *settings, atl_tokenizer_t **tokenizer) {
  atl_model_t *model;
  ATL_TRY(atl_model_open(settings->model, &model));
  const char *path = settings->clip ? model->clip_tokenizer_path : model->tokenizer_path;
  atl_status_t status =
      path != NULL ? atl_tokenizer_open(path, tokenizer)
                   : ATL_FAIL(INPUT, "%s: expected a %stokenizer in the model, found none; give one with --tokenizer",
                              settings->model, settings->clip ? "CLIP " : "");
  atl_model_destroy(&model);
  return status;
}

static atl_status_t run(const void *context, const atl_text_list_t *texts) {
  const settings_t *settings = context;
  ATL_CHECK(!settings->tokenizer != !settings->model, USAGE,
            "expected either --tokenizer FILE or --model DIR; see atelier tokenize --help");
  ATL_CHECK(!settings->clip || settings->model, USAGE, "--clip selects a model's CLIP tokenizer and needs --model DIR");
  atl_tokenizer_t *tokenizer = NULL;
  if (settings->model)
    ATL_TRY(open_of_model(settings, &tokenizer));
  else
    ATL_TRY(atl_tokenizer_open(settings->tokenizer, &tokenizer));
  atl_status_t status = run_all(tokenizer, texts);
  atl_tokenizer_destroy(&tokenizer);
  return status;
}

atl_status_t atl_command_tokenize(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
