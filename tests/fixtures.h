/* Fixtures: the reference's checkpoints, inputs and results (ATL_FIXTURES, by default ../shared/fixtures). A fixture's
 * checkpoint is converted into a model directory of its own, under the build folder. */
#ifndef ATL_TESTS_FIXTURES_H
#define ATL_TESTS_FIXTURES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/model.h"

typedef struct {
  atl_model_t *model;
  atl_safetensors_t *in, *want;
} fixture_t;

static inline const char *fixture_path(char path[512], const char *name, const char *file) {
  const char *root = getenv("ATL_FIXTURES");
  snprintf(path, 512, "%s/%s/%s", root != NULL ? root : "../shared/fixtures", name, file);
  return path;
}

static inline bool fixture_exists(const char *name) {
  char path[512];
  return getenv("ATL_MODELS") != NULL && access(fixture_path(path, name, "in.safetensors"), R_OK) == 0;
}

static inline void fixture_clear(fixture_t *fixture) {
  atl_model_destroy(&fixture->model);
  atl_safetensors_destroy(&fixture->in);
  atl_safetensors_destroy(&fixture->want);
}

static inline atl_status_t fixture_open(fixture_t *fixture, const char *name) {
  char path[512];
  *fixture = (fixture_t){0};
  const char *leaf = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
  snprintf(path, sizeof path, "%s/%s", getenv("ATL_MODELS"), leaf);
  ATL_TRY(atl_model_open(path, &fixture->model));
  ATL_TRY(atl_safetensors_open(fixture_path(path, name, "in.safetensors"), &fixture->in));
  return atl_safetensors_open(fixture_path(path, name, "want.safetensors"), &fixture->want);
}

#endif
