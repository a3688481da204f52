#include "proto/runfolder.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/rng.h"
#include "common/version.h"

enum { MAX_PLAIN = 64, MAX_CLEANED = 40 }; /* MAX_CLEANED + '-' + 16 hex digits stay below ATL_FOLDER_BYTES */

/* A prompt's folder must not collide with these files or their temporaries. journal.pb is planned. */
static const char *const own_files[] = {"run.json",   "results.jsonl", "index.html",
                                        "report.txt", "journal.pb",    "trace.json"};

static bool is_safe(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool is_own_name(const char *id) {
  size_t n = strlen(id);
  if (n == 0 || n > MAX_PLAIN || id[0] == '.' || id[0] == '-') return false;
  for (size_t i = 0; i < sizeof own_files / sizeof own_files[0]; i++)
    if (strncmp(id, own_files[i], strlen(own_files[i])) == 0) return false;
  for (size_t i = 0; i < n; i++)
    if (!is_safe(id[i])) return false;
  return true;
}

const char *atl_runfolder_name(const char *id, char name[ATL_FOLDER_BYTES]) {
  if (is_own_name(id)) {
    snprintf(name, ATL_FOLDER_BYTES, "%s", id);
    return name;
  }
  size_t n = 0;
  for (; n < MAX_CLEANED && id[n]; n++)
    name[n] = is_safe(id[n]) && id[n] != '.' && (n > 0 || id[n] != '-') ? id[n] : '_';
  snprintf(name + n, ATL_FOLDER_BYTES - n, "-%016" PRIx64, atl_rng_prompt_key(id));
  if (n == 0) name[0] = '_';
  return name;
}

__attribute__((format(printf, 2, 3))) static atl_status_t format_path(char path[ATL_PATH_BYTES], const char *format,
                                                                      ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(path, ATL_PATH_BYTES, format, arguments);
  va_end(arguments);
  ATL_CHECK(n >= 0 && n < ATL_PATH_BYTES, INPUT,
            "expected paths below the output folder of at most %d bytes, found '%.60s...'", ATL_PATH_BYTES - 1, path);
  return ATL_OK;
}

atl_status_t atl_runfolder_candidate_path(const char *out, const char *id, int32_t sample, char path[ATL_PATH_BYTES]) {
  char name[ATL_FOLDER_BYTES];
  ATL_TRY(format_path(path, "%s/.candidates/%s-%" PRId32 ".png", out, atl_runfolder_name(id, name), sample));
  return ATL_OK;
}

atl_status_t atl_runfolder_position_path(const char *out, const char *id, int32_t position, char path[ATL_PATH_BYTES]) {
  char name[ATL_FOLDER_BYTES];
  ATL_TRY(format_path(path, "%s/%s/rank-%03" PRId32 ".png", out, atl_runfolder_name(id, name), position));
  return ATL_OK;
}

atl_status_t atl_runfolder_path(const char *out, const char *name, char path[ATL_PATH_BYTES]) {
  ATL_TRY(format_path(path, "%s/%s", out, name));
  return ATL_OK;
}

atl_status_t atl_runfolder_png_texts(const atl_picture_facts_t *facts, atl_arena_t *arena,
                                     atl_image_text_t texts[ATL_MAX_PNG_TEXTS], int *n_texts) {
  char *seed, *sample, *score;
  ATL_TRY(atl_arena_printf(arena, &seed, "%" PRIu64, facts->seed));
  ATL_TRY(atl_arena_printf(arena, &sample, "%" PRId32, facts->sample));
  ATL_TRY(atl_arena_printf(arena, &score, "%.9g", (double)facts->score));
  const atl_image_text_t all[] = {{"Software", "atelier " ATL_VERSION},
                                  {"prompt", facts->prompt},
                                  {"prompt_id", facts->id},
                                  {"seed", seed},
                                  {"sample", sample},
                                  {"score", score},
                                  {"model", facts->model}};
  *n_texts = 0;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i].text != score || !isnan(facts->score)) texts[(*n_texts)++] = all[i];
  return ATL_OK;
}
