/* Fixtures: the reference's checkpoint, inputs and results of one case, from the folder ATL_FIXTURES (by default
 * ../shared/fixtures). The checkpoint is converted on opening. */
#ifndef ATL_TESTS_SUPPORT_FIXTURES_H
#define ATL_TESTS_SUPPORT_FIXTURES_H

#include <stdbool.h>
#include <unistd.h>

#include "tests/support/convert.h"

typedef struct {
  converted_t converted; /* .model */
  atl_safetensors_t *in, *want;
} fixture_t;

/* The path of a case's file into path; returns path. */
static inline const char *fixture_path(char path[512], const char *name, const char *file) {
  char below[128];
  snprintf(below, sizeof below, "%s/%s", name, file);
  return converted_fixture(path, below);
}

static inline bool fixture_exists(const char *name) {
  char path[512];
  return access(fixture_path(path, name, "in.safetensors"), R_OK) == 0;
}

static inline void fixture_close(fixture_t *fixture) {
  converted_close(&fixture->converted);
  atl_safetensors_destroy(&fixture->in);
  atl_safetensors_destroy(&fixture->want);
}

static inline atl_status_t fixture_open(fixture_t *fixture, const char *name) {
  char path[512];
  *fixture = (fixture_t){0};
  ATL_TRY(converted_open(&fixture->converted, fixture_path(path, name, "dalle.pt")));
  ATL_TRY(atl_safetensors_open(fixture_path(path, name, "in.safetensors"), &fixture->in));
  return atl_safetensors_open(fixture_path(path, name, "want.safetensors"), &fixture->want);
}

#endif
