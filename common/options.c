/* One pass over argv, looking each option up in the command's table. Defaults are texts in the table and go through the
 * same parser as the command line, so a default is always a value that a user could have typed. */
#include "common/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 28, HELP_WIDTH = 100, MAX_NAME = 64 };

static bool is_heading(const atl_option_t *option) { return option->name[0] == 0; }

/* The option whose name is the n bytes at `name`; NULL when there is none. */
static const atl_option_t *find(const atl_usage_t *usage, const char *name, size_t n) {
  if (n == 0) return NULL;
  for (const atl_option_t *option = usage->options; option->name; option++)
    if (strlen(option->name) == n && memcmp(option->name, name, n) == 0) return option;
  return NULL;
}

/* Levenshtein distance with one row of the table; MAX_NAME when a text is longer than that. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b) {
  size_t row[MAX_NAME + 1];
  if (n_a > MAX_NAME || n_b > MAX_NAME) return MAX_NAME;
  for (size_t j = 0; j <= n_b; j++) row[j] = j;
  for (size_t i = 1; i <= n_a; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n_b; j++) {
      size_t changed = diagonal + (a[i - 1] != b[j - 1]), longer = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = changed < longer ? changed : longer;
    }
  }
  return row[n_b];
}

static atl_status_t fail_unknown(const atl_usage_t *usage, const char *name, size_t n) {
  const char *nearest = NULL;
  size_t least = n / 2 + 1; /* a more distant name is no useful suggestion */
  for (const atl_option_t *option = usage->options; option->name; option++) {
    size_t distance = edit_distance(name, n, option->name, strlen(option->name));
    if (!is_heading(option) && distance < least) least = distance, nearest = option->name;
  }
  int shown = n > MAX_NAME ? MAX_NAME : (int)n;
  if (nearest)
    return ATL_FAIL(USAGE, "atelier %s has no option --%.*s; did you mean --%s?", usage->command, shown, name, nearest);
  return ATL_FAIL(USAGE, "atelier %s has no option --%.*s; atelier %s --help lists them", usage->command, shown, name,
                  usage->command);
}

static atl_status_t read_int(const atl_option_t *option, const char *text, int64_t *value) {
  char *end;
  errno = 0;
  long long read = strtoll(text, &end, 10);
  ATL_CHECK(end != text && *end == 0 && errno == 0 && !isspace((unsigned char)text[0]), USAGE,
            "--%s %s: expected an integer, found '%s'", option->name, option->argument, text);
  *value = read;
  return ATL_OK;
}

static atl_status_t read_real(const atl_option_t *option, const char *text, double *value) {
  char *end;
  errno = 0;
  double read = strtod(text, &end);
  ATL_CHECK(end != text && *end == 0 && isfinite(read) && !isspace((unsigned char)text[0]), USAGE,
            "--%s %s: expected a number, found '%s'", option->name, option->argument, text);
  *value = read;
  return ATL_OK;
}

/* "1536", "2G", "2GiB", "0.5G": binary multiples. */
static atl_status_t read_bytes(const atl_option_t *option, const char *text, int64_t *value) {
  static const char suffixes[] = "KMGT";
  char *end;
  errno = 0;
  double read = strtod(text, &end), scale = 1;
  const char *suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
  if (suffix) {
    scale = ldexp(1, 10 * (int)(suffix - suffixes + 1));
    end++;
    if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0) end += strlen(end);
  }
  ATL_CHECK(end != text && *end == 0 && isfinite(read) && read >= 0 && read * scale < 0x1p62, USAGE,
            "--%s %s: expected a number of bytes such as 800M or 64G, found '%s'", option->name, option->argument,
            text);
  ATL_CHECK(suffix || read == floor(read), USAGE,
            "--%s %s: expected an integer, or a unit as in 0.5G or 800M, found '%s'", option->name, option->argument,
            text);
  ATL_CHECK(read == 0 || read * scale >= 1, USAGE, "--%s %s: '%s' is less than a byte", option->name, option->argument,
            text);
  *value = (int64_t)(read * scale);
  return ATL_OK;
}

static atl_status_t add_text(const char *what, const char *text, atl_text_list_t *list) {
  ATL_CHECK(list->n < ATL_MAX_TEXTS, USAGE, "%s: expected at most %d, found more; use a file instead", what,
            ATL_MAX_TEXTS);
  list->items[list->n++] = text;
  return ATL_OK;
}

static atl_status_t set_field(const atl_option_t *option, const char *text, void *settings) {
  char *field = (char *)settings + option->offset;
  switch (option->kind) {
  case ATL_OPTION_FLAG: *(bool *)field = true; return ATL_OK;
  case ATL_OPTION_INT: return read_int(option, text, (int64_t *)field);
  case ATL_OPTION_REAL: return read_real(option, text, (double *)field);
  case ATL_OPTION_TEXT: *(const char **)field = text; return ATL_OK;
  case ATL_OPTION_TEXTS: return add_text(option->name, text, (atl_text_list_t *)field);
  case ATL_OPTION_BYTES: return read_bytes(option, text, (int64_t *)field);
  }
  return ATL_FAIL(INTERNAL, "option --%s is of an unknown kind", option->name);
}

static atl_status_t set_default(const atl_option_t *option, void *settings) {
  char *field = (char *)settings + option->offset;
  switch (option->kind) {
  case ATL_OPTION_FLAG: *(bool *)field = false; return ATL_OK;
  case ATL_OPTION_INT:
  case ATL_OPTION_BYTES: *(int64_t *)field = 0; break;
  case ATL_OPTION_REAL: *(double *)field = 0; break;
  case ATL_OPTION_TEXT: *(const char **)field = NULL; break;
  case ATL_OPTION_TEXTS: ((atl_text_list_t *)field)->n = 0; return ATL_OK;
  }
  return option->fallback ? set_field(option, option->fallback, settings) : ATL_OK;
}

/* The option that `word` ("--name" or "--name=VALUE") names, or NULL; *value is the text after '=', or NULL. */
static const atl_option_t *match(const atl_usage_t *usage, const char *word, const char **value) {
  if (strncmp(word, "--", 2) != 0) return NULL;
  const char *equals = strchr(word, '=');
  *value = equals ? equals + 1 : NULL;
  return find(usage, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
}

/* Is there a -h or --help that is not the value of an option? Looked for before anything else is checked. */
static bool has_help(const atl_usage_t *usage, int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) return true;
    const char *value;
    const atl_option_t *option = match(usage, argv[i], &value);
    if (option && option->kind != ATL_OPTION_FLAG && !value) i++;
  }
  return false;
}

/* Reads the option at argv[*i] and, if it takes a value without '=', the next word. */
static atl_status_t read_option(const atl_usage_t *usage, int argc, char **argv, int *i, void *settings) {
  const char *value = NULL, *unused;
  const char *word = argv[*i];
  const atl_option_t *option = match(usage, word, &value);
  if (!option) return fail_unknown(usage, word + 2, strcspn(word + 2, "="));
  if (option->kind == ATL_OPTION_FLAG) {
    ATL_CHECK(!value, USAGE, "--%s takes no value, found '%s'", option->name, value);
    return set_field(option, NULL, settings);
  }
  if (!value) {
    ATL_CHECK(*i + 1 < argc, USAGE, "--%s needs a value %s, but is the last word of the command", option->name,
              option->argument);
    value = argv[++*i];
    ATL_CHECK(!match(usage, value, &unused), USAGE,
              "--%s needs a value %s, found the option %s; write --%s=%s if that is the value", option->name,
              option->argument, value, option->name, value);
  }
  return set_field(option, value, settings);
}

static atl_status_t read_operand(const atl_usage_t *usage, const char *word, atl_text_list_t *operands) {
  ATL_CHECK(operands, USAGE, "atelier %s takes options only, found '%s'; atelier %s --help lists them", usage->command,
            word, usage->command);
  return add_text(usage->operands ? usage->operands : "operands", word, operands);
}

atl_status_t atl_options_parse(const atl_usage_t *usage, int argc, char **argv, void *settings,
                               atl_text_list_t *operands, bool *wants_help) {
  if (operands) operands->n = 0;
  for (const atl_option_t *option = usage->options; option->name; option++)
    if (!is_heading(option)) ATL_TRY(set_default(option, settings));
  *wants_help = has_help(usage, argc, argv);
  if (*wants_help) return ATL_OK;
  bool is_open = true; /* until "--" */
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (is_open && strcmp(word, "--") == 0)
      is_open = false;
    else if (is_open && strncmp(word, "--", 2) == 0)
      ATL_TRY(read_option(usage, argc, argv, &i, settings));
    else if (is_open && word[0] == '-' && word[1])
      return ATL_FAIL(USAGE, "atelier %s: options are written with two dashes, found '%s'; after -- it is an operand",
                      usage->command, word);
    else
      ATL_TRY(read_operand(usage, word, operands));
  }
  return ATL_OK;
}

/* Prints `text` from column HELP_COLUMN on, breaking lines at HELP_WIDTH. */
static void print_wrapped(const char *text, FILE *out) {
  for (size_t column = HELP_COLUMN, n; *text; text += n) {
    n = strcspn(text, " ");
    if (column + n > HELP_WIDTH) {
      fprintf(out, "\n%*s", HELP_COLUMN, "");
      column = HELP_COLUMN;
    }
    while (text[n] == ' ') n++;
    fwrite(text, 1, n, out);
    column += n;
  }
}

static void print_option(const atl_option_t *option, FILE *out) {
  int n = option->argument ? fprintf(out, "  --%s %s", option->name, option->argument)
                           : fprintf(out, "  --%s", option->name);
  if (n + 2 > HELP_COLUMN) fputc('\n', out), n = 0;
  fprintf(out, "%*s", HELP_COLUMN - n, "");
  print_wrapped(option->help, out);
  if (option->fallback) fprintf(out, " [%s]", option->fallback);
  fputc('\n', out);
}

void atl_options_help(const atl_usage_t *usage, FILE *out) {
  fprintf(out, "usage: atelier %s %s\n\n%s\n\n", usage->command, usage->synopsis, usage->summary);
  for (const atl_option_t *option = usage->options; option->name; option++) {
    if (is_heading(option))
      fprintf(out, "%s%s:\n", option == usage->options ? "" : "\n", option->help);
    else
      print_option(option, out);
  }
  fprintf(out, "  %-*s%s\n", HELP_COLUMN - 2, "--help", "this page");
  if (usage->examples)
    fprintf(out, "\nexamples:\n%s%s", usage->examples, strchr(usage->examples, 0)[-1] == '\n' ? "" : "\n");
}

/* The default of a numeric option, as set_default sets it. */
static double default_number(const atl_option_t *option) {
  int64_t integer = 0;
  double real = 0;
  if (!option->fallback) return 0;
  if (option->kind == ATL_OPTION_REAL) return read_real(option, option->fallback, &real) == ATL_OK ? real : NAN;
  atl_status_t status = option->kind == ATL_OPTION_INT ? read_int(option, option->fallback, &integer)
                                                       : read_bytes(option, option->fallback, &integer);
  return status == ATL_OK ? (double)integer : NAN;
}

/* Puts a text that has other than plain characters in single quotes, for a shell. */
static void print_text(const char *name, const char *text, FILE *out) {
  fprintf(out, " --%s ", name);
  if (*text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%")]) {
    fputs(text, out);
    return;
  }
  fputc('\'', out);
  for (; *text; text++) *text == '\'' ? fputs("'\\''", out) : fputc(*text, out);
  fputc('\'', out);
}

static void print_field(const atl_option_t *option, const void *settings, FILE *out) {
  const char *field = (const char *)settings + option->offset;
  switch (option->kind) {
  case ATL_OPTION_FLAG:
    if (*(const bool *)field) fprintf(out, " --%s", option->name);
    break;
  case ATL_OPTION_INT:
  case ATL_OPTION_BYTES:
    if ((double)*(const int64_t *)field != default_number(option))
      fprintf(out, " --%s %lld", option->name, (long long)*(const int64_t *)field);
    break;
  case ATL_OPTION_REAL:
    if (*(const double *)field != default_number(option))
      fprintf(out, " --%s %.10g", option->name, *(const double *)field);
    break;
  case ATL_OPTION_TEXT: {
    const char *text = *(const char *const *)field;
    if (text && !(option->fallback && strcmp(text, option->fallback) == 0)) print_text(option->name, text, out);
    break;
  }
  case ATL_OPTION_TEXTS: {
    const atl_text_list_t *list = (const atl_text_list_t *)field;
    for (int i = 0; i < list->n; i++) print_text(option->name, list->items[i], out);
    break;
  }
  }
}

atl_status_t atl_options_summary(const atl_usage_t *usage, const void *settings, atl_arena_t *arena, char **text) {
  char *whole = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&whole, &n);
  ATL_CHECK(out != NULL, MEMORY, "no memory for the summary of the options");
  for (const atl_option_t *option = usage->options; option->name; option++)
    if (!is_heading(option)) print_field(option, settings, out);
  atl_status_t status = ATL_OK;
  if (fclose(out) != 0) status = ATL_FAIL(MEMORY, "no memory for the summary of the options");
  if (status == ATL_OK)
    status = atl_arena_printf(arena, text, "%s", n > 0 ? whole + 1 : ""); /* skips the first space */
  free(whole);
  return status;
}
