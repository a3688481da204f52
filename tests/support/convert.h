/* Convert, for tests: a checkpoint becomes a model directory in a temporary folder and is opened; closing removes both.
 */
#ifndef ATL_TESTS_SUPPORT_CONVERT_H
#define ATL_TESTS_SUPPORT_CONVERT_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/checkpoint/convert.h"

typedef struct {
  char folder[64];
  char directory[80]; /* folder/model */
  atl_model_t *model;
} converted_t;

/* The path of a file below the fixtures (ATL_FIXTURES, by default ../shared/fixtures) into path; returns path. */
static inline const char *converted_fixture(char path[512], const char *name) {
  const char *root = getenv("ATL_FIXTURES");
  snprintf(path, 512, "%s/%s", root ? root : "../shared/fixtures", name);
  return path;
}

static inline atl_status_t converted_open(converted_t *converted, const char *source) {
  *converted = (converted_t){.folder = "/tmp/atelier-test-XXXXXX"};
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
  nftw(converted->folder, converted_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
