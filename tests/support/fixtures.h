/* Fixtures: the checkpoint, inputs and results of the reference for one case.
 *
 * A case is a folder below the fixtures ($ATL_FIXTURES, default tests/fixtures), or an absolute path. Opening a case
 * converts its checkpoint, dalle.pt. A case without a checkpoint uses the model that ships with the program; its
 * matrices are stored in f16, so its tests need a larger tolerance.
 *
 *     fixture_t fixture;
 *     ATL_TRY(fixture_open(&fixture, "golden/full"));     -- .converted.model, .in and .want are open
 *     fixture_close(&fixture);                            -- also after a failure
 */
#ifndef ATL_TESTS_SUPPORT_FIXTURES_H
#define ATL_TESTS_SUPPORT_FIXTURES_H

#include "tests/support/convert.h"

#define FIXTURE_SHIPPED_MODEL "weights/emoji"

typedef struct {
  converted_t converted; /* .model is the open model */
  atl_safetensors_t *in, *want;
} fixture_t;

/* Writes the path of a case's file into path and returns path. */
static inline const char *fixture_path(char path[512], const char *name, const char *file) {
  char below[512];
  if (snprintf(below, sizeof below, "%s/%s", name, file) >= (int)sizeof below) abort();
  return converted_fixture(path, below);
}

static inline void fixture_close(fixture_t *fixture) {
  converted_close(&fixture->converted);
  atl_safetensors_destroy(&fixture->in);
  atl_safetensors_destroy(&fixture->want);
}

static inline atl_status_t fixture_open(fixture_t *fixture, const char *name) {
  char path[512];
  *fixture = (fixture_t){0};
  fixture_path(path, name, "dalle.pt");
  ATL_TRY(converted_open(&fixture->converted, atl_file_exists(path) ? path : FIXTURE_SHIPPED_MODEL));
  ATL_TRY(atl_safetensors_open(fixture_path(path, name, "in.safetensors"), &fixture->in));
  return atl_safetensors_open(fixture_path(path, name, "want.safetensors"), &fixture->want);
}

#endif
