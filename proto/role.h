/* Role: names a role of a rank in messages and reports. A rank has one or more roles. Local. */
#ifndef ATL_PROTO_ROLE_H
#define ATL_PROTO_ROLE_H

#include <stddef.h>
#include <stdint.h>

typedef enum { ATL_ROLE_COORDINATOR, ATL_ROLE_DECODER, ATL_ROLE_STAGE, ATL_N_ROLES } atl_role_kind_t;

typedef struct {
  atl_role_kind_t kind;
  int32_t i_pipeline, i_stage; /* of a stage */
  int32_t i_decoder;           /* of a decoder; helpers are numbered after the plan's decoders, in order of rank */
} atl_role_t;

enum { ATL_ROLE_BYTES = 32 };

/* The name of a kind ("stage"). Static. */
const char *atl_role_kind_name(atl_role_kind_t kind);
/* Writes "stage 0.1", "decoder 2" or "coordinator" into text; returns text. */
const char *atl_role_describe(const atl_role_t *role, char text[ATL_ROLE_BYTES]);
/* Orders roles by the name of their kind, then by index; returns < 0, 0 or > 0, as for qsort. */
int atl_role_compare(const atl_role_t *a, const atl_role_t *b);

#endif
