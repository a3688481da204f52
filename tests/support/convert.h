/* Convert, for tests: converts a checkpoint into a model directory in a temporary folder and opens it; closing it
 * removes the folder. A source that is already a model directory is opened in place.
 *
 *     converted_t converted;
 *     ATL_TRY(converted_open(&converted, path));     -- converted.model is open
 *     converted_close(&converted);                   -- also after a failure
 */
#ifndef ATL_TESTS_SUPPORT_CONVERT_H
#define ATL_TESTS_SUPPORT_CONVERT_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/file.h"
#include "model/checkpoint/convert.h"

typedef struct {
  char folder[64];    /* temporary folder; empty if the source is a model directory */
  char directory[80]; /* folder/model */
  atl_model_t *model;
} converted_t;

/* Writes the path of a file below the fixtures ($ATL_FIXTURES, default tests/fixtures) into path and returns path. An
 * absolute name is not changed. */
static inline const char *converted_fixture(char path[512], const char *name) {
  const char *root = getenv("ATL_FIXTURES");
  if (name[0] == '/') root = "";
  if (snprintf(path, 512, "%s/%s", root ? root : "tests/fixtures", name) >= 512) abort();
  return path;
}

static inline atl_status_t converted_open(converted_t *converted, const char *source) {
  char path[544];
  *converted = (converted_t){0};
  if (snprintf(path, sizeof path, "%s/model.json", source) >= (int)sizeof path) abort();
  if (atl_file_exists(path)) return atl_model_open(source, &converted->model);
  snprintf(converted->folder, sizeof converted->folder, "/tmp/atelier-test-XXXXXX");
  ATL_CHECK(mkdtemp(converted->folder) != NULL, IO, "no temporary folder %s", converted->folder);
  snprintf(converted->directory, sizeof converted->directory, "%s/model", converted->folder);
  const atl_convert_t settings = {
      .sources = {source}, .n_sources = 1, .out = converted->directory, .storage = ATL_N_DTYPES};
  ATL_TRY(atl_convert_run(&settings));
  return atl_model_open(converted->directory, &converted->model);
}

static inline int converted_remove(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status, (void)kind, (void)walk;
  return remove(path);
}

static inline void converted_close(converted_t *converted) {
  atl_model_destroy(&converted->model);
  if (converted->folder[0] != '\0') nftw(converted->folder, converted_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
