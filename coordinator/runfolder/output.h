/* Output: the run folder (docs/run-folder.md), from its creation to its last file. The coordinator owns it; decoders
 * write candidates into it at the paths of proto/runfolder.
 *
 *     ATL_TRY(atl_output_check("out"));                        early: does the folder already have files?
 *     ATL_TRY(atl_output_new(&request, &output));              folder, lock, run.json
 *     ATL_TRY(atl_output_add_record(output, &record));         a prompt's last record completes its folder
 *     ATL_TRY(atl_output_finish(output, &summary));            results.jsonl, index.html, report.txt, run.json
 *     atl_output_destroy(&output);
 *
 * Every file is written to a temporary name, synced and renamed, so it is never seen incomplete. All local.
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_OUTPUT_H
#define ATL_COORDINATOR_RUNFOLDER_OUTPUT_H

#include "common/json.h"
#include "coordinator/runfolder/report.h"
#include "proto/wire.h"

typedef struct atl_output atl_output_t;

typedef struct {
  const char *folder;          /* borrowed until destroy, like every pointer here */
  const atl_prompt_t *prompts; /* id, text, seed, n_samples are read */
  int32_t n_prompts;
  int32_t n_keep;        /* K best pictures kept per prompt, >= 1 */
  bool is_ranked;        /* false: scores are NaN and the order is that of the samples */
  const char *model;     /* model name */
  const char *command;   /* "atelier generate --model DIR ...": the options that decide the pixels, without --prompt(s),
                            --samples, --seed, --top and --out; the gallery completes it to redraw one picture */
  const json_t *pixels;  /* object: all that decides the pixels (model digest, sampling, dtype, ...) */
  const json_t *plan;    /* object, or NULL */
  const json_t *machine; /* object, or NULL */
} atl_output_request_t;

/* INPUT when the folder exists and is not empty (if a run holds its lock, the message names that run), or when it cannot
 * be made. Tries to create a folder where it would be made, and removes it at once. */
atl_status_t atl_output_check(const char *folder);
/* Makes the folder, its lock (runfolder/lock), run.json, and a reserve of disk space for the last run.json. INPUT as
 * above; USAGE, IO, MEMORY. A failure after locking removes the folder again. Caller owns. */
atl_status_t atl_output_new(const atl_output_request_t *request, atl_output_t **output);
/* Ranks a candidate, drops the picture it displaces, and completes the prompt after its last record. INTERNAL: the
 * candidate is unknown, or came before. IO, INPUT, MEMORY. Borrows. */
atl_status_t atl_output_add_record(atl_output_t *output, const atl_record_t *record);
/* Gets the score that a candidate of this prompt must reach to be kept; false while every candidate is kept. */
bool atl_output_has_threshold(const atl_output_t *output, int32_t i_prompt, float *threshold);
int64_t atl_output_n_done(const atl_output_t *output);
int64_t atl_output_n_total(const atl_output_t *output);
/* Writes the files of the whole run and releases the lock. INTERNAL: candidates are missing and the run was not
 * stopped. IO, INPUT, MEMORY. Borrows the summary. */
atl_status_t atl_output_finish(atl_output_t *output, const atl_run_summary_t *summary);
/* Updates the heartbeat in run.json every few seconds; a run that says "running" with an old heartbeat was killed. Call
 * often. */
void atl_output_beat(atl_output_t *output);
/* Records in run.json that the run ended, or is about to end, early: its state ("failed" or "stopped") and the reason.
 * "failed" also releases the lock. Cannot fail; logs a warning if run.json could not be written. */
void atl_output_abandon(atl_output_t *output, const char *state, const char *reason);
void atl_output_destroy(atl_output_t **output);

#endif
