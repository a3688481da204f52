/* Options: a command's options in one table that drives parsing, --help and the printed summary.
 *
 *     typedef struct { const char *model; int64_t samples; bool greedy; atl_text_list_t prompts; } settings_t;
 *     static const atl_option_t the_options[] = {
 *         {"model", ATL_OPTION_TEXT, offsetof(settings_t, model), "DIR", NULL, "model directory (atelier convert)"},
 *         {"samples", ATL_OPTION_INT, offsetof(settings_t, samples), "N", "16", "candidates per prompt"},
 *         {"greedy", ATL_OPTION_FLAG, offsetof(settings_t, greedy), NULL, NULL, "take the most likely token"},
 *         {"prompt", ATL_OPTION_TEXTS, offsetof(settings_t, prompts), "TEXT", NULL, "a prompt; repeatable"},
 *         {0}};
 *     ATL_TRY(atl_options_parse(&usage, argc, argv, &settings, NULL, &wants_help));
 *
 * Options are `--name VALUE`, `--name=VALUE` and `--flag`; `--` ends them. The message for an unknown name suggests the
 * nearest known one. All local.
 */
#ifndef ATL_COMMON_OPTIONS_H
#define ATL_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/arena.h"
#include "common/status.h"

enum { ATL_MAX_TEXTS = 4096 };

typedef struct {
  const char *items[ATL_MAX_TEXTS]; /* borrowed from argv */
  int n;
} atl_text_list_t;

typedef enum {
  ATL_OPTION_FLAG,  /* bool */
  ATL_OPTION_INT,   /* int64_t */
  ATL_OPTION_REAL,  /* double */
  ATL_OPTION_TEXT,  /* const char *; NULL when neither given nor defaulted */
  ATL_OPTION_TEXTS, /* atl_text_list_t, repeatable */
  ATL_OPTION_BYTES, /* int64_t, with suffix K, M, G, T (binary) */
} atl_option_kind_t;

typedef struct {
  const char *name;       /* without dashes; NULL ends the table; "" makes the entry a heading with text `help` */
  atl_option_kind_t kind; /* determines the type of the field */
  size_t offset;          /* of the field in the settings struct */
  const char *argument;   /* "N" in `--samples N`; NULL for flags */
  const char *fallback;   /* default, as text; NULL: zero, NULL or false */
  const char *help;
} atl_option_t;

typedef struct {
  const char *command;  /* "generate" */
  const char *synopsis; /* "--model DIR --prompt TEXT [options]" */
  const char *summary;  /* one sentence */
  const char *examples; /* lines at the end of --help, or NULL */
  const atl_option_t *options;
  const char *operands; /* their name ("FILE ..."), or NULL when the command takes none */
} atl_usage_t;

/* Sets `settings` to the defaults, then applies argv[1..]. Operands go to *operands (NULL: none are accepted). -h or
 * --help sets *wants_help, and nothing else is checked then. USAGE when a word or value is not understood. Borrows
 * argv. */
atl_status_t atl_options_parse(const atl_usage_t *usage, int argc, char **argv, void *settings,
                               atl_text_list_t *operands, bool *wants_help);
/* Prints the --help page. */
void atl_options_help(const atl_usage_t *usage, FILE *out);
/* Writes all options that are not at their defaults, quoted for a shell ("--samples 32 --temperature 0.7"). *text is
 * owned by the arena. MEMORY. */
atl_status_t atl_options_summary(const atl_usage_t *usage, const void *settings, atl_arena_t *arena, char **text);

#endif
