/* Priming: every candidate of a job begins with the same image tokens, taken from the top of a given picture. Local. */
#ifndef ATL_COORDINATOR_JOB_PRIMING_H
#define ATL_COORDINATOR_JOB_PRIMING_H

#include "model/checkpoint/model.h"
#include "proto/wire.h"

typedef struct {
  const char *path;         /* of a PNG; NULL: no priming */
  int64_t n_tokens, n_rows; /* tokens, or rows of tokens, to take; both 0: 43.75 % of the tokens */
} atl_priming_t;

/* Fills in job->prime; the tokens live in the arena. USAGE: the picture has fewer tokens, or none would be left to
 * draw. INPUT: the picture cannot be used. Borrows. */
atl_status_t atl_priming_load(const atl_priming_t *priming, const atl_model_t *model, atl_arena_t *arena,
                              atl_job_t *job);

#endif
