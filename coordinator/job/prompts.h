/* Prompts: the texts a job is to draw, from --prompt TEXT or from a file. Prompts are parsed first in a run, so that
 * bad input is reported, with its line, before anything is loaded.
 *
 * A file has one prompt a line. A prompt's id is its line number in the whole file (from 1, empty lines counted). When
 * the first line that is not empty begins with '{', every line is a JSON object with "prompt" and optionally "id"
 * (string or integer), "samples" and "seed". The id keys the random numbers and names the folder; shards keep the ids
 * of the file.
 *
 *     atl_prompts_t prompts;
 *     ATL_TRY(atl_prompts_load("prompts.txt", &(atl_prompt_defaults_t){.seed = 7, .n_samples = 16}, &prompts));
 *     ATL_TRY(atl_prompts_shard(&prompts, "2/8"));
 *     ... prompts.items[i].id, .text, .key, .seed, .n_samples; job/tokenize fills in the token ids ...
 *     atl_prompts_clear(&prompts);
 *
 * Everything lives in the object's arena. After a failed load, parse or from_texts nothing needs clearing. Local.
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
  atl_prompt_t *items; /* in file order; ids and clip_ids are empty */
  int32_t n;
  atl_arena_t arena;
} atl_prompts_t;

/* INPUT: the file is missing or too large, has no prompt, is not UTF-8, or has bad JSON, an unknown key, a number out
 * of range, or two equal ids. */
atl_status_t atl_prompts_load(const char *path, const atl_prompt_defaults_t *defaults, atl_prompts_t *prompts);
/* The same from n bytes in memory; `where` names them in messages. Borrows. */
atl_status_t atl_prompts_parse(const char *bytes, size_t n, const char *where, const atl_prompt_defaults_t *defaults,
                               atl_prompts_t *prompts);
/* From repeated --prompt options; the ids are "1", "2", ... USAGE: there is none. Borrows during the call. */
atl_status_t atl_prompts_from_texts(const atl_text_list_t *texts, const atl_prompt_defaults_t *defaults,
                                    atl_prompts_t *prompts);
/* Keeps prompts I, I+N, I+2N, ... for `shard` "I/N", I from 1: neighbours in a file often cost the same, so they go to
 * different jobs. USAGE: malformed. INPUT: nothing is left. */
atl_status_t atl_prompts_shard(atl_prompts_t *prompts, const char *shard);
void atl_prompts_clear(atl_prompts_t *prompts);

#endif
