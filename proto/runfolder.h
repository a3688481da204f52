/* Run folder: the names in a run's folder that more than one role must agree on, and what a PNG says about itself.
 * Pure functions of their arguments: a decoder on another node and the coordinator come to the same paths.
 *
 *     OUT/run.json results.jsonl index.html report.txt      written by the coordinator
 *     OUT/FOLDER/rank-001.png ... grid.png                  the best of one prompt, FOLDER made from its id
 *     OUT/.candidates/FOLDER-SAMPLE.png                     written by decoders; the coordinator moves or removes them
 */
#ifndef ATL_PROTO_RUNFOLDER_H
#define ATL_PROTO_RUNFOLDER_H

#include <stdint.h>

#include "common/arena.h"
#include "common/image.h"

enum { ATL_FOLDER_BYTES = 72, ATL_PATH_BYTES = 4096, ATL_MAX_PNG_TEXTS = 8 };

/* The folder name of a prompt id into name; returns name. An id of letters, digits, '_', '-' and '.' that is short,
 * does not begin with '.' or '-' and is none of the run's own files is its own name; any other is cut, cleaned and
 * followed by the hash of the id. */
const char *atl_runfolder_name(const char *id, char name[ATL_FOLDER_BYTES]);

/* Where the decoder writes a candidate, and where the coordinator puts the picture of a position in the ranking (1 is the best). INPUT
 * when the path is longer than ATL_PATH_BYTES. */
atl_status_t atl_runfolder_candidate_path(const char *out, const char *id, int32_t sample, char path[ATL_PATH_BYTES]);
atl_status_t atl_runfolder_position_path(const char *out, const char *id, int32_t position, char path[ATL_PATH_BYTES]);
/* out/name. */
atl_status_t atl_runfolder_path(const char *out, const char *name, char path[ATL_PATH_BYTES]);

/* The text chunks of a picture, in this order: Software, prompt, prompt_id, seed, sample, score
 * (not when it is NaN), model. Values live in the arena or are borrowed from the arguments. */
typedef struct {
  const char *prompt, *id;
  uint64_t seed;
  int32_t sample;
  float score;       /* NaN: not ranked */
  const char *model; /* the model's name, not its path: the same picture has the same bytes wherever the model lies */
} atl_picture_facts_t;
atl_status_t atl_runfolder_png_texts(const atl_picture_facts_t *facts, atl_arena_t *arena,
                                     atl_image_text_t texts[ATL_MAX_PNG_TEXTS], int *n_texts);

#endif
