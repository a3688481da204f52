/* Role: what a rank does in a job, as messages and reports name it. A rank may have several. */
#ifndef ATL_PROTO_ROLE_H
#define ATL_PROTO_ROLE_H

#include <stddef.h>
#include <stdint.h>

typedef enum { ATL_ROLE_COORDINATOR, ATL_ROLE_DECODER, ATL_ROLE_STAGE, ATL_N_ROLES } atl_role_kind_t;

typedef struct {
  atl_role_kind_t kind;
  int32_t i_pipeline, i_stage; /* of a stage */
  int32_t i_decoder;           /* of a decoder; helpers are numbered after the plan's decoders, by rank */
} atl_role_t;

enum { ATL_ROLE_BYTES = 32 };

/* "stage". */
const char *atl_role_kind_name(atl_role_kind_t kind);
/* "stage 0.1", "decoder 2", "coordinator" into text; returns text. */
const char *atl_role_describe(const atl_role_t *role, char text[ATL_ROLE_BYTES]);
/* By name of the kind, then by index: below, equal to or above 0, as qsort wants it. */
int atl_role_compare(const atl_role_t *a, const atl_role_t *b);

#endif
