/* CLIP's text encoder: encodes token ids. Features are not normalised. */
#ifndef ATL_MODEL_CLIP_TEXT_H
#define ATL_MODEL_CLIP_TEXT_H

#include "model/checkpoint/model.h"
#include "model/clip/source.h"

typedef struct atl_clip_text atl_clip_text_t;
/* INPUT, MEMORY. Borrows the file, which must outlive the encoder. Caller owns. */
atl_status_t atl_clip_text_new(const atl_clip_source_t *source, const atl_clip_config_t *config,
                               atl_clip_text_t **text);
void atl_clip_text_destroy(atl_clip_text_t **text);
/* features(E_J) <- ids(context), each within the vocabulary. */
void atl_clip_text_run(atl_clip_text_t *text, float *features, const int32_t *ids);
size_t atl_clip_text_bytes(const atl_clip_text_t *text); /* bytes allocated */

#endif
