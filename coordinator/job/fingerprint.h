/* Fingerprint: a text that identifies the model and the machine code a rank computes with: the model's files as its
 * host has them, and the kernels it has chosen. Ranks compare fingerprints at the start, because ranks that differ
 * would draw different pictures.
 *
 *     ATL_TRY(atl_fingerprint_make(model, &job, &arena, &mine));
 *     ATL_TRY(atl_fingerprint_compare(of_rank_0, mine, model->directory));
 *
 * A tensor file is identified by its size, the hash of its header, and the hash of 64 blocks of 4 KiB spread evenly
 * over its data; the cost does not grow with the file. Differences outside these blocks go unnoticed; `atelier inspect
 * --verify` reads every byte.
 */
#ifndef ATL_COORDINATOR_JOB_FINGERPRINT_H
#define ATL_COORDINATOR_JOB_FINGERPRINT_H

#include "common/arena.h"
#include "model/checkpoint/model.h"
#include "proto/wire.h"

/* Lines "NAME\tVALUE\n" in the arena. INPUT: a file cannot be read. MEMORY. Local. */
atl_status_t atl_fingerprint_make(const atl_model_t *model, const atl_job_t *job, atl_arena_t *arena, char **text);
/* INPUT when they differ; the message names this host, the first line that differs, both values and what to try. Local.
 */
atl_status_t atl_fingerprint_compare(const char *expected, const char *found, const char *directory);

#endif
