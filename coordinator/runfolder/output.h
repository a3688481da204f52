/* Output: the run folder (docs/run-folder.md), from its making to its last file. The coordinator owns it; decoders
 * write candidates into it at paths of proto/runfolder.
 *
 *     ATL_TRY(atl_output_check("out"));                        early: is there such a folder already?
 *     ATL_TRY(atl_output_new(&request, &output));              folder, run.json
 *     ATL_TRY(atl_output_add_record(output, &record));         as they come; a prompt's last renames its folder
 *     ATL_TRY(atl_output_finish(output, &summary));            results.jsonl, index.html, report.txt, run.json
 *     atl_output_destroy(&output);
 *
 * Every file appears whole: temporary, fsync, rename. All local.
 */
#ifndef ATL_COORDINATOR_RUNFOLDER_OUTPUT_H
#define ATL_COORDINATOR_RUNFOLDER_OUTPUT_H

#include "common/json.h"
#include "coordinator/runfolder/report.h"
#include "proto/wire.h"

typedef struct atl_output atl_output_t;

typedef struct {
  const char *folder;          /* borrowed, as everything here, until destroy */
  const atl_prompt_t *prompts; /* id, text, seed, n_samples are read */
  int32_t n_prompts;
  int32_t n_keep;        /* top K, >= 1 */
  bool is_ranked;        /* false: scores are NaN, the order is that of the samples */
  const char *model;     /* the model's name */
  const char *command;   /* "atelier generate --model DIR ...": the words that decide the pixels, without --prompt(s),
                            --samples, --seed, --top and --out; the gallery completes it to redo one picture */
  const json_t *pixels;  /* object: everything that decides the pixels (model digest, sampling, dtype, ...) */
  const json_t *plan;    /* object, or NULL */
  const json_t *machine; /* object, or NULL */
} atl_output_request_t;

/* INPUT when the folder exists and is not empty (if a run holds its lock, the message names that run), or when it cannot
 * be made. Tries to create a folder where it would be made, and removes it at once. */
atl_status_t atl_output_check(const char *folder);
/* Makes the folder, its lock (runfolder/lock), run.json, and a reserve of disk space for the last run.json. INPUT as
 * above. Caller owns. */
atl_status_t atl_output_new(const atl_output_request_t *request, atl_output_t **output);
/* INTERNAL when the candidate is unknown or came before; IO. Borrows. */
atl_status_t atl_output_add_record(atl_output_t *output, const atl_record_t *record);
/* The score a candidate of this prompt has to reach to be worth writing; false while any is. */
bool atl_output_has_threshold(const atl_output_t *output, int32_t i_prompt, float *threshold);
int64_t atl_output_n_done(const atl_output_t *output);
int64_t atl_output_n_total(const atl_output_t *output);
/* The files of the whole run. Borrows the summary. INTERNAL when candidates are missing. */
atl_status_t atl_output_finish(atl_output_t *output, const atl_run_summary_t *summary);
/* Writes the time into run.json when it is due, every few seconds: a run that says "running" and whose heartbeat is old
 * was killed. Call often. */
void atl_output_beat(atl_output_t *output);
/* The run ends, or may be ended, before its time: run.json says in which state and why; "failed" is the end. Cannot
 * fail; a warning says when it could not be written. */
void atl_output_abandon(atl_output_t *output, const char *state, const char *reason);
void atl_output_destroy(atl_output_t **output);

#endif
