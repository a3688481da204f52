/* Fingerprint: what a rank computes with, as text that ranks compare at the start: the files of the model as this rank's
 * host has them, and the machine code it has chosen. Ranks that differ would each draw pictures of their own.
 *
 *     ATL_TRY(atl_fingerprint_make(model, &job, &arena, &mine));
 *     ATL_TRY(atl_fingerprint_compare(of_rank_0, mine, model->directory));
 *
 * A tensor file is known by its size, the hash of its header, and the hash of 64 blocks of 4 KiB spread evenly over its
 * data, which costs the same for any size. Weights that differ in none of these blocks are not noticed; `atelier
 * inspect --verify` reads them all.
 */
#ifndef ATL_COORDINATOR_JOB_FINGERPRINT_H
#define ATL_COORDINATOR_JOB_FINGERPRINT_H

#include "common/arena.h"
#include "model/checkpoint/model.h"
#include "proto/wire.h"

/* Lines "NAME\tVALUE\n" in the arena. INPUT when a file cannot be read, MEMORY. Local. */
atl_status_t atl_fingerprint_make(const atl_model_t *model, const atl_job_t *job, atl_arena_t *arena, char **text);
/* INPUT with this host, the first line that differs, both values and what to try. Local. */
atl_status_t atl_fingerprint_compare(const char *expected, const char *found, const char *directory);

#endif
