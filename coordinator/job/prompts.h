/* Prompts: what a job is to draw, from --prompt TEXT or a file of lines. The first thing of a run: what is wrong with
 * the input is said here, with its line, before anything is loaded.
 *
 * A file has one prompt a line; its id is the number of the line in the whole file (from 1, empty lines counted). When
 * the first line that is not empty begins with '{', every line is a JSON object: "prompt", and optionally "id" (text or
 * number), "samples", "seed". The id keys the random numbers and names the folder; a shard keeps the ids of the file.
 *
 *     atl_prompts_t prompts;
 *     ATL_TRY(atl_prompts_load("prompts.txt", &(atl_prompt_defaults_t){.seed = 7, .n_samples = 16}, &prompts));
 *     ATL_TRY(atl_prompts_shard(&prompts, "2/8"));
 *     ... prompts.items[i].id, .text, .key, .seed, .n_samples; the token ids are the tokenizer's to fill ...
 *     atl_prompts_clear(&prompts);
 *
 * On failure nothing needs clearing. Everything lives in the arena of the object.
 */
#ifndef ATL_COORDINATOR_JOB_PROMPTS_H
#define ATL_COORDINATOR_JOB_PROMPTS_H

#include "common/options.h"
#include "proto/wire.h"

enum { ATL_MAX_PROMPT_FILE_BYTES = 256 << 20, ATL_MAX_PROMPT_BYTES = 65536, ATL_MAX_ID_BYTES = 256 };

typedef struct {
  uint64_t seed;
  int32_t n_samples;
} atl_prompt_defaults_t;

typedef struct {
  atl_prompt_t *items; /* in the order of the file; ids and clip_ids empty */
  int32_t n;
  atl_arena_t arena;
} atl_prompts_t;

/* INPUT: missing, too large, no prompt in it, not UTF-8, bad JSON, unknown key, number out of range, two equal ids. */
atl_status_t atl_prompts_load(const char *path, const atl_prompt_defaults_t *defaults, atl_prompts_t *prompts);
/* The same from n bytes in memory; `where` names them in messages. Borrows. */
atl_status_t atl_prompts_parse(const char *bytes, size_t n, const char *where, const atl_prompt_defaults_t *defaults,
                               atl_prompts_t *prompts);
/* From --prompt, repeated; ids are "1", "2", ... Borrows during the call. */
atl_status_t atl_prompts_from_texts(const atl_text_list_t *texts, const atl_prompt_defaults_t *defaults,
                                    atl_prompts_t *prompts);
/* Keeps prompts I, I+N, I+2N, ... of `shard` "I/N", I from 1: neighbours in a file are alike in cost and go to
 * different jobs. USAGE when it is not understood, INPUT when nothing is left. */
atl_status_t atl_prompts_shard(atl_prompts_t *prompts, const char *shard);
void atl_prompts_clear(atl_prompts_t *prompts);

#endif
