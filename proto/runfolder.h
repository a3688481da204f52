/* Run folder: the paths in a run's folder that several roles must agree on, and the text chunks of its PNGs. Pure
 * functions: a decoder on another host and the coordinator compute the same paths.
 *
 *     OUT/run.json results.jsonl index.html report.txt      written by the coordinator
 *     OUT/FOLDER/rank-001.png ... grid.png                  best pictures of one prompt; FOLDER derives from its id
 *     OUT/.candidates/FOLDER-SAMPLE.png                     written by decoders; moved or removed by the coordinator
 */
#ifndef ATL_PROTO_RUNFOLDER_H
#define ATL_PROTO_RUNFOLDER_H

#include <stdint.h>

#include "common/arena.h"
#include "common/image.h"

enum { ATL_FOLDER_BYTES = 72, ATL_PATH_BYTES = 4096, ATL_MAX_PNG_TEXTS = 8 };

/* Writes the folder name of a prompt id into name; returns name. An id of at most 64 letters, digits, '_', '-' and '.'
 * that does not begin with '.' or '-', nor with the name of one of the run's files, is its own folder name. Any other
 * id is shortened, cleaned and followed by its hash. */
const char *atl_runfolder_name(const char *id, char name[ATL_FOLDER_BYTES]);

/* The path where a decoder writes a candidate, and the path to which the coordinator moves the picture at a position of
 * the ranking (1 is best). INPUT when the path does not fit ATL_PATH_BYTES. */
atl_status_t atl_runfolder_candidate_path(const char *out, const char *id, int32_t sample, char path[ATL_PATH_BYTES]);
atl_status_t atl_runfolder_position_path(const char *out, const char *id, int32_t position, char path[ATL_PATH_BYTES]);
/* OUT/name. INPUT as above. */
atl_status_t atl_runfolder_path(const char *out, const char *name, char path[ATL_PATH_BYTES]);

/* The text chunks of a picture: Software, prompt, prompt_id, seed, sample, score (unless NaN), model, in this order.
 * Values are owned by the arena or borrowed from `facts`. MEMORY. */
typedef struct {
  const char *prompt, *id;
  uint64_t seed;
  int32_t sample;
  float score;       /* NaN: not ranked */
  const char *model; /* its name, not its path, so that a PNG's bytes do not depend on where the model is stored */
} atl_picture_facts_t;
atl_status_t atl_runfolder_png_texts(const atl_picture_facts_t *facts, atl_arena_t *arena,
                                     atl_image_text_t texts[ATL_MAX_PNG_TEXTS], int *n_texts);

#endif
