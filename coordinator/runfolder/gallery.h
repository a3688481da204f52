/* Gallery: index.html of a run. One file that works from disk without a network, and without scripts except for sorting
 * and filtering. Pictures are embedded while their files take less than ATL_GALLERY_EMBED_BYTES in total, otherwise
 * linked by relative paths. Texts may be hostile, so all of them are escaped. runfolder/gallery.html is the template.
 * Local. */
#ifndef ATL_COORDINATOR_RUNFOLDER_GALLERY_H
#define ATL_COORDINATOR_RUNFOLDER_GALLERY_H

#include <stdint.h>

#include "common/status.h"

enum { ATL_GALLERY_EMBED_BYTES = 32 << 20 };

typedef struct {
  char file[96]; /* relative to the run folder: "12/rank-001.png" */
  int32_t sample;
  float score; /* NaN: not ranked */
  char sha256[65];
} atl_gallery_picture_t;

typedef struct {
  const char *id, *text;
  uint64_t seed;
  int32_t n_samples;
  const atl_gallery_picture_t *pictures; /* best first */
  int32_t n_pictures;
} atl_gallery_prompt_t;

typedef struct {
  const char *folder;  /* the run folder: pictures are read from it */
  const char *model;   /* name */
  const char *command; /* see coordinator/runfolder/output.h */
  const char *made;    /* time, "2026-03-01T12:03:07Z" */
  const atl_gallery_prompt_t *prompts;
  int32_t n_prompts;
  int64_t max_embed_bytes; /* ATL_GALLERY_EMBED_BYTES, or less in tests */
} atl_gallery_t;

/* Writes folder/index.html. INPUT: a picture cannot be read. IO, MEMORY. Borrows. */
atl_status_t atl_gallery_save(const atl_gallery_t *gallery);

#endif
