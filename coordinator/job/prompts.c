/* Prompts: one pass over the lines of a text, shared by files, memory and --prompt. */
#include "coordinator/job/prompts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/json.h"
#include "common/memory.h"
#include "common/rng.h"
#include "common/utf8.h"
#include "proto/runfolder.h"

enum { WHERE_BYTES = 512 };

typedef struct {
  const char *text; /* not NUL-terminated; blanks at both ends removed */
  size_t n;
  int64_t number; /* from 1 */
} line_t;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static line_t trim(const char *text, size_t n, int64_t number) {
  while (n > 0 && is_blank(text[n - 1])) n--;
  while (n > 0 && is_blank(*text)) text++, n--;
  return (line_t){text, n, number};
}

/* Gets the next line that is not empty, from *at on; false at the end of the text. */
static bool get_line(const char *bytes, size_t n, size_t *at, int64_t *number, line_t *line) {
  while (*at < n) {
    const char *start = bytes + *at, *end = memchr(start, '\n', n - *at);
    size_t length = end ? (size_t)(end - start) : n - *at;
    *at += length + (end != NULL);
    *line = trim(start, length, ++*number);
    if (line->n > 0) return true;
  }
  return false;
}

static atl_status_t check_text(const char *text, size_t n, const char *where) {
  size_t good = atl_utf8_find_error(text, n);
  ATL_CHECK(good == n, INPUT, "%s: expected UTF-8, found byte 0x%02x at position %zu; iconv -t UTF-8 converts", where,
            (unsigned char)text[good], good + 1);
  ATL_CHECK(!memchr(text, 0, n), INPUT, "%s: expected text, found a NUL byte", where);
  ATL_CHECK(n > 0, INPUT, "%s: expected a prompt, found an empty one", where);
  ATL_CHECK(n <= ATL_MAX_PROMPT_BYTES, INPUT, "%s: expected a prompt of at most %d bytes, found %zu", where,
            ATL_MAX_PROMPT_BYTES, n);
  return ATL_OK;
}

static atl_status_t add(atl_prompts_t *prompts, const char *id, const char *text, size_t n, uint64_t seed,
                        int32_t n_samples) {
  atl_prompt_t *prompt = &prompts->items[prompts->n];
  char *copy, *own_id;
  ATL_TRY(atl_arena_strndup(&prompts->arena, text, n, &copy));
  ATL_TRY(atl_arena_strndup(&prompts->arena, id, strlen(id), &own_id));
  *prompt = (atl_prompt_t){
      .id = own_id, .text = copy, .key = atl_rng_prompt_key(own_id), .seed = seed, .n_samples = n_samples};
  prompts->n++;
  return ATL_OK;
}

static atl_status_t add_line(atl_prompts_t *prompts, line_t line, const char *where,
                             const atl_prompt_defaults_t *defaults) {
  char id[24];
  ATL_TRY(check_text(line.text, line.n, where));
  snprintf(id, sizeof id, "%" PRId64, line.number);
  ATL_TRY(add(prompts, id, line.text, line.n, defaults->seed, defaults->n_samples));
  return ATL_OK;
}

static atl_status_t check_keys(json_t *object, const char *where) {
  static const char *const known_keys[] = {"id", "prompt", "samples", "seed"};
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    size_t i = 0;
    while (i < sizeof known_keys / sizeof known_keys[0] && strcmp(key, known_keys[i]) != 0) i++;
    ATL_CHECK(i < sizeof known_keys / sizeof known_keys[0], INPUT,
              "%s: expected the keys prompt, id, samples and seed, found \"%.80s\"", where, key);
  }
  return ATL_OK;
}

/* "id" is a string or an integer; the default is the line's number. */
static atl_status_t get_id(const json_t *object, const char *where, int64_t number, char id[ATL_MAX_ID_BYTES + 1]) {
  const json_t *value = json_object_get(object, "id");
  if (json_is_string(value)) {
    size_t n = json_string_length(value);
    ATL_CHECK(n >= 1 && n <= ATL_MAX_ID_BYTES, INPUT, "%s: expected an id of 1 to %d bytes, found %zu", where,
              ATL_MAX_ID_BYTES, n);
    memcpy(id, json_string_value(value), n + 1);
    return ATL_OK;
  }
  ATL_CHECK(!value || json_is_integer(value), INPUT, "%s: expected \"id\" to be a string or an integer", where);
  snprintf(id, ATL_MAX_ID_BYTES, "%" PRId64, value ? (int64_t)json_integer_value(value) : number);
  return ATL_OK;
}

static atl_status_t add_object(atl_prompts_t *prompts, json_t *object, int64_t number, const char *where,
                               const atl_prompt_defaults_t *defaults) {
  char id[ATL_MAX_ID_BYTES + 1];
  const char *text;
  int64_t n_samples = defaults->n_samples, seed = (int64_t)defaults->seed;
  ATL_CHECK(json_is_object(object), INPUT, "%s: expected a JSON object, {\"prompt\": ...}", where);
  ATL_TRY(check_keys(object, where));
  ATL_TRY(get_id(object, where, number, id));
  ATL_TRY(atl_json_get_text(object, where, "prompt", &text));
  if (json_object_get(object, "samples"))
    ATL_TRY(atl_json_get_int(object, where, "samples", 1, ATL_MAX_SAMPLES, &n_samples));
  if (json_object_get(object, "seed")) ATL_TRY(atl_json_get_int(object, where, "seed", 0, INT64_MAX, &seed));
  line_t line = trim(text, strlen(text), number);
  ATL_TRY(check_text(line.text, line.n, where));
  ATL_TRY(add(prompts, id, line.text, line.n, (uint64_t)seed, (int32_t)n_samples));
  return ATL_OK;
}

static atl_status_t add_json(atl_prompts_t *prompts, line_t line, const char *where,
                             const atl_prompt_defaults_t *defaults) {
  json_t *object = NULL;
  ATL_TRY(atl_json_parse(line.text, line.n, where, &object));
  atl_status_t status = add_object(prompts, object, line.number, where, defaults);
  json_decref(object);
  return status;
}

static int compare_ids(const void *a, const void *b) {
  return strcmp((*(const atl_prompt_t *const *)a)->id, (*(const atl_prompt_t *const *)b)->id);
}

static int compare_folders(const void *a, const void *b) {
  char name_a[ATL_FOLDER_BYTES], name_b[ATL_FOLDER_BYTES];
  return strcmp(atl_runfolder_name((*(const atl_prompt_t *const *)a)->id, name_a),
                atl_runfolder_name((*(const atl_prompt_t *const *)b)->id, name_b));
}

/* Two prompts with one id would draw the same pictures into the same folder. Two ids with one folder name collide only
 * by design, and are refused as well. */
static atl_status_t check_unique(const atl_prompts_t *prompts, const char *where) {
  static int (*const orders[])(const void *, const void *) = {compare_ids, compare_folders};
  const atl_prompt_t **sorted;
  atl_status_t status = ATL_NEW(prompts->n, &sorted);
  for (int32_t i = 0; status == ATL_OK && i < prompts->n; i++) sorted[i] = &prompts->items[i];
  for (int order = 0; order < 2 && status == ATL_OK; order++) {
    qsort(sorted, (size_t)prompts->n, sizeof *sorted, orders[order]);
    for (int32_t i = 1; i < prompts->n && status == ATL_OK; i++)
      if (orders[order](&sorted[i - 1], &sorted[i]) == 0)
        status = ATL_FAIL(
            INPUT, "%s: expected a distinct id for every prompt, found \"%.80s\" %s \"%.80s\" and \"%.80s\"", where,
            sorted[i]->id, order == 0 ? "for" : "with the same folder for", sorted[i - 1]->text, sorted[i]->text);
  }
  ATL_DESTROY(&sorted);
  return status;
}

static atl_status_t take_items(atl_prompts_t *prompts, int64_t n_max, const char *where) {
  ATL_CHECK(n_max <= ATL_MAX_PROMPTS, INPUT, "%s: expected at most %d prompts, found %" PRId64, where, ATL_MAX_PROMPTS,
            n_max);
  ATL_TRY(ATL_TAKE(&prompts->arena, n_max, &prompts->items));
  return ATL_OK;
}

static atl_status_t parse_lines(const char *bytes, size_t n, const char *file, const atl_prompt_defaults_t *defaults,
                                atl_prompts_t *prompts) {
  line_t line = {0};
  int64_t number = 0, n_lines = 0;
  char where[WHERE_BYTES];
  for (size_t at = 0; get_line(bytes, n, &at, &number, &line);) n_lines++;
  ATL_CHECK(n_lines > 0, INPUT, "%s: expected one prompt a line, found %s", file,
            n ? "only empty lines" : "an empty file");
  ATL_TRY(take_items(prompts, n_lines, file));
  bool is_json = false;
  number = 0;
  for (size_t at = 0; get_line(bytes, n, &at, &number, &line);) {
    if (prompts->n == 0) is_json = line.text[0] == '{';
    snprintf(where, sizeof where, "%.400s line %" PRId64, file, line.number);
    ATL_TRY((is_json ? add_json : add_line)(prompts, line, where, defaults));
  }
  ATL_TRY(check_unique(prompts, file));
  return ATL_OK;
}

atl_status_t atl_prompts_parse(const char *bytes, size_t n, const char *where, const atl_prompt_defaults_t *defaults,
                               atl_prompts_t *prompts) {
  static const char byte_order_mark[] = "\xef\xbb\xbf"; /* some editors write it at the start of UTF-8 files */
  *prompts = (atl_prompts_t){0};
  if (n >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) bytes += 3, n -= 3;
  atl_status_t status = parse_lines(bytes, n, where, defaults, prompts);
  if (status != ATL_OK) atl_prompts_clear(prompts);
  return status;
}

atl_status_t atl_prompts_load(const char *path, const atl_prompt_defaults_t *defaults, atl_prompts_t *prompts) {
  char *bytes = NULL;
  size_t n = 0;
  *prompts = (atl_prompts_t){0};
  ATL_TRY(atl_file_read(path, ATL_MAX_PROMPT_FILE_BYTES, &bytes, &n));
  atl_status_t status = atl_prompts_parse(bytes, n, path, defaults, prompts);
  ATL_DESTROY(&bytes);
  return status;
}

atl_status_t atl_prompts_from_texts(const atl_text_list_t *texts, const atl_prompt_defaults_t *defaults,
                                    atl_prompts_t *prompts) {
  *prompts = (atl_prompts_t){0};
  ATL_CHECK(texts->n > 0, USAGE, "expected --prompt TEXT or --prompts FILE, found neither");
  atl_status_t status = take_items(prompts, texts->n, "--prompt");
  for (int i = 0; i < texts->n && status == ATL_OK; i++) {
    char where[WHERE_BYTES];
    snprintf(where, sizeof where, "--prompt number %d", i + 1);
    status = add_line(prompts, trim(texts->items[i], strlen(texts->items[i]), i + 1), where, defaults);
  }
  if (status != ATL_OK) atl_prompts_clear(prompts);
  return status;
}

atl_status_t atl_prompts_shard(atl_prompts_t *prompts, const char *shard) {
  int first = 0, n_shards = 0, n_read = 0;
  ATL_CHECK(sscanf(shard, "%9d/%9d%n", &first, &n_shards, &n_read) == 2 && shard[n_read] == 0 && first >= 1 &&
                first <= n_shards,
            USAGE, "--shard I/N: expected the I-th of N shards, such as 1/4 to 4/4, found '%.40s'", shard);
  ATL_CHECK(first <= prompts->n, INPUT, "--shard %s: expected a prompt for every shard, found %" PRId32 " prompts",
            shard, prompts->n);
  int32_t n = 0;
  for (int32_t i = first - 1; i < prompts->n; i += n_shards) prompts->items[n++] = prompts->items[i];
  prompts->n = n;
  return ATL_OK;
}

void atl_prompts_clear(atl_prompts_t *prompts) {
  atl_arena_clear(&prompts->arena);
  *prompts = (atl_prompts_t){0};
}
