/* Priming: the tokens that every candidate of a job begins with, those of the top part of a picture. */
#ifndef ATL_COORDINATOR_JOB_PRIMING_H
#define ATL_COORDINATOR_JOB_PRIMING_H

#include "model/checkpoint/model.h"
#include "proto/wire.h"

typedef struct {
  const char *path;         /* PNG; NULL: nothing is primed */
  int64_t n_tokens, n_rows; /* how much of it, in tokens or in rows of tokens; both 0: 43.75 % of the tokens */
} atl_priming_t;

/* Fills in job->prime. The tokens live in the arena. USAGE: the picture does not have as many tokens, or none would be
 * left to draw; INPUT: the picture. Borrows. */
atl_status_t atl_priming_load(const atl_priming_t *priming, const atl_model_t *model, atl_arena_t *arena,
                              atl_job_t *job);

#endif
