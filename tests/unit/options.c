// TEST np=1
#include "common/options.h"

#include <stdlib.h>

#include "tests/support/tap.h"

typedef struct {
  const char *model, *dtype;
  int64_t samples, memory;
  double temperature;
  bool greedy;
  atl_text_list_t prompts;
} settings_t;

static const atl_option_t the_options[] = {
    {"", 0, 0, NULL, NULL, "What"},
    {"model", ATL_OPTION_TEXT, offsetof(settings_t, model), "DIR", NULL, "model directory"},
    {"prompt", ATL_OPTION_TEXTS, offsetof(settings_t, prompts), "TEXT", NULL,
     "a prompt; repeatable, with a description that is long enough to need a line break on the help page somewhere"},
    {"", 0, 0, NULL, NULL, "How"},
    {"samples", ATL_OPTION_INT, offsetof(settings_t, samples), "N", "16", "candidates per prompt"},
    {"temperature", ATL_OPTION_REAL, offsetof(settings_t, temperature), "T", "1.0", "softness of the draw"},
    {"memory", ATL_OPTION_BYTES, offsetof(settings_t, memory), "BYTES", NULL, "memory per rank"},
    {"dtype", ATL_OPTION_TEXT, offsetof(settings_t, dtype), "f32|bf16", "f32", "dtype of the weights"},
    {"greedy", ATL_OPTION_FLAG, offsetof(settings_t, greedy), NULL, NULL, "take the most likely token"},
    {0}};
static const atl_usage_t the_usage = {"paint",   "--model DIR [options]", "Paints.", "  atelier paint\n", the_options,
                                      "FILE ..."};

static settings_t the_settings;
static atl_text_list_t the_operands;
static bool wants_help;

static atl_status_t parse(int argc, const char **argv) {
  return atl_options_parse(&the_usage, argc, (char **)argv, &the_settings, &the_operands, &wants_help);
}

#define PARSE(...)                                                                                                     \
  parse((int)(sizeof((const char *[]){"paint", __VA_ARGS__}) / sizeof(char *)), (const char *[]){"paint", __VA_ARGS__})

static bool summary_is(const char *want) {
  atl_arena_t arena = {0};
  char *text;
  bool is_same = atl_options_summary(&the_usage, &the_settings, &arena, &text) == ATL_OK && strcmp(text, want) == 0;
  atl_arena_clear(&arena);
  return is_same;
}

static void test_values(void) {
  TAP_STATUS(ATL_OK, parse(1, (const char *[]){"paint"}), "no words are fine");
  TAP_OK(the_settings.samples == 16 && the_settings.temperature == 1 && !the_settings.model && !the_settings.greedy &&
             strcmp(the_settings.dtype, "f32") == 0 && the_settings.memory == 0,
         "defaults come from the table");
  TAP_STATUS(ATL_OK,
             PARSE("--model", "m", "--samples=-3", "a.png", "--greedy", "--memory", "1.5G", "--temperature", "0.5",
                   "--prompt", "one", "--prompt=a=b", "--prompt", "-h", "--", "--samples", "-"),
             "a full command line");
  TAP_OK(strcmp(the_settings.model, "m") == 0 && the_settings.samples == -3 && the_settings.greedy, "text, int, flag");
  TAP_OK(the_settings.memory == 3LL << 29 && the_settings.temperature == 0.5, "bytes with a suffix, real");
  TAP_OK(the_settings.prompts.n == 3 && strcmp(the_settings.prompts.items[1], "a=b") == 0, "a repeatable option");
  TAP_OK(the_operands.n == 3 && strcmp(the_operands.items[1], "--samples") == 0 && !wants_help,
         "operands, also after --");
  TAP_OK(summary_is("--model m --prompt one --prompt a=b --prompt -h --samples -3 --temperature 0.5 "
                    "--memory 1610612736 --greedy"),
         "the summary lists the options that are not at their defaults");
  TAP_STATUS(ATL_OK, PARSE("--prompt", "it's <b>"), "a prompt with quotes");
  TAP_OK(summary_is("--prompt 'it'\\''s <b>'"), "the summary quotes for the shell");
  TAP_STATUS(ATL_OK, PARSE("--dtype", "f32"), "options at their defaults");
  TAP_OK(summary_is(""), "the summary of defaults is empty");
  static char prompt[20001], want[sizeof prompt + 16];
  memset(prompt, 'x', sizeof prompt - 1);
  prompt[7] = ' ';
  snprintf(want, sizeof want, "--prompt '%s'", prompt);
  TAP_STATUS(ATL_OK, PARSE("--prompt", prompt), "a prompt of 20000 bytes");
  TAP_OK(summary_is(want), "a long summary is whole, its quotes closed");
}

static void test_failures(void) {
  TAP_STATUS(ATL_USAGE, PARSE("--sample", "3"), "an unknown name fails");
  TAP_OK(strstr(atl_status_message(), "did you mean --samples?") != NULL, "and names the nearest");
  TAP_STATUS(ATL_USAGE, PARSE("--zzzzzzz", "3"), "a name like no other fails");
  TAP_OK(strstr(atl_status_message(), "did you mean") == NULL, "without a suggestion");
  TAP_STATUS(ATL_USAGE,
             PARSE("--"
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
             "a very long name fails");
  TAP_STATUS(ATL_USAGE, PARSE("--samples"), "a value at the end is missing");
  TAP_STATUS(ATL_USAGE, PARSE("--model", "--samples", "3"), "an option in place of a value is rejected");
  TAP_STATUS(ATL_USAGE, PARSE("--samples", "3x"), "3x is rejected");
  TAP_STATUS(ATL_USAGE, PARSE("--samples", ""), "an empty value is rejected");
  TAP_STATUS(ATL_USAGE, PARSE("--samples", "99999999999999999999"), "a number too large");
  TAP_STATUS(ATL_USAGE, PARSE("--temperature", "nan"), "nan is rejected");
  TAP_STATUS(ATL_USAGE, PARSE("--memory", "3Q"), "an unknown suffix is rejected");
  TAP_STATUS(ATL_USAGE, PARSE("--memory", "-1"), "negative bytes are rejected");
  TAP_STATUS(ATL_USAGE, PARSE("--memory", "9999999999T"), "too many bytes");
  TAP_STATUS(ATL_USAGE, PARSE("--memory", "0.5"), "half a byte is rejected: the unit is missing");
  TAP_STATUS(ATL_USAGE, PARSE("--memory", "1e-12G"), "less than a byte");
  TAP_OK(PARSE("--memory", "0.5G") == ATL_OK && the_settings.memory == 1 << 29, "half a gibibyte");
  TAP_STATUS(ATL_USAGE, PARSE("--greedy=yes"), "a flag takes no value");
  TAP_STATUS(ATL_USAGE, PARSE("--=3"), "an option has a name");
  TAP_STATUS(ATL_USAGE, PARSE("-s"), "one dash is refused");
  const char *argv[] = {"paint", "x"};
  TAP_STATUS(ATL_USAGE, atl_options_parse(&the_usage, 2, (char **)argv, &the_settings, NULL, &wants_help),
             "an operand where none is taken");
}

static void test_help(void) {
  TAP_STATUS(ATL_OK, PARSE("--nonsense", "--help"), "help is found first");
  TAP_OK(wants_help, "and asked for");
  TAP_STATUS(ATL_OK, PARSE("--prompt", "--help"), "what follows --prompt is its value");
  TAP_OK(!wants_help && the_settings.prompts.n == 1, "so no help is asked for");
  char *page = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&page, &n);
  atl_options_help(&the_usage, out);
  fclose(out);
  TAP_OK(strstr(page, "  --samples N               candidates per prompt [16]\n") != NULL,
         "a line per option, default last");
  TAP_OK(strstr(page, "What:\n") && strstr(page, "\nHow:\n") && strstr(page, "examples:\n"), "headings and examples");
  size_t longest = 0;
  for (const char *line = page; *line; line += strcspn(line, "\n") + 1)
    if (strcspn(line, "\n") > longest) longest = strcspn(line, "\n");
  TAP_OK(longest <= 101, "lines are broken");
  free(page);
}

int main(void) {
  test_values();
  test_failures();
  test_help();
  return tap_done();
}
