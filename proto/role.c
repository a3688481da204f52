#include "proto/role.h"

#include <inttypes.h>
#include <stdio.h>

const char *atl_role_kind_name(atl_role_kind_t kind) {
  static const char *const names[ATL_N_ROLES] = {"coordinator", "decoder",
                                                 "stage"}; /* alphabetical, so atl_role_compare can compare kinds */
  return names[kind];
}

const char *atl_role_describe(const atl_role_t *role, char text[ATL_ROLE_BYTES]) {
  const char *name = atl_role_kind_name(role->kind);
  if (role->kind == ATL_ROLE_STAGE)
    snprintf(text, ATL_ROLE_BYTES, "%s %" PRId32 ".%" PRId32, name, role->i_pipeline, role->i_stage);
  else if (role->kind == ATL_ROLE_DECODER)
    snprintf(text, ATL_ROLE_BYTES, "%s %" PRId32, name, role->i_decoder);
  else
    snprintf(text, ATL_ROLE_BYTES, "%s", name);
  return text;
}

int atl_role_compare(const atl_role_t *a, const atl_role_t *b) {
  const int64_t differences[] = {(int64_t)a->kind - (int64_t)b->kind, (int64_t)a->i_pipeline - b->i_pipeline,
                                 (int64_t)a->i_stage - b->i_stage, (int64_t)a->i_decoder - b->i_decoder};
  for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
    if (differences[i] != 0) return differences[i] < 0 ? -1 : 1;
  return 0;
}
