/* Tokenize: turns the texts of a job into the token ids that the networks read.
 *
 *     atl_tokenize_request_t request = {.model = model, .prompts = &prompts, .is_guided = true};
 *     ATL_TRY(atl_tokenize_job(&request, &arena, &job));
 *     ... job.prompts[i].ids, .clip_ids, job.null_ids ...
 */
#ifndef ATL_COORDINATOR_JOB_TOKENIZE_H
#define ATL_COORDINATOR_JOB_TOKENIZE_H

#include "coordinator/job/prompts.h"
#include "model/checkpoint/model.h"

typedef struct {
  const atl_model_t *model;
  atl_prompts_t *prompts; /* gets the ids */
  const char *negative;   /* the text that guidance steers away from; NULL: the null text */
  bool is_guided;
  bool truncate; /* cut texts that are too long; otherwise they are refused */
} atl_tokenize_request_t;

/* Fills in the ids of every prompt (CLIP ids too when job->is_ranked), and the job's prompts and null text. The ids
 * live in the arena; the prompts stay owned by the request. INPUT names the prompt. Local. Borrows. */
atl_status_t atl_tokenize_job(const atl_tokenize_request_t *request, atl_arena_t *arena, atl_job_t *job);

#endif
