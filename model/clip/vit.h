/* CLIP's vision transformer: encodes the patches of a picture with a tower. Features are not normalised. */
#ifndef ATL_MODEL_CLIP_VIT_H
#define ATL_MODEL_CLIP_VIT_H

#include "model/checkpoint/model.h"
#include "model/clip/source.h"

typedef struct atl_clip_vit atl_clip_vit_t;
/* INPUT, MEMORY. Borrows the file, which must outlive the ViT. Caller owns. */
atl_status_t atl_clip_vit_new(const atl_clip_source_t *source, const atl_clip_config_t *config, atl_clip_vit_t **vit);
void atl_clip_vit_destroy(atl_clip_vit_t **vit);
/* features(n,E_J) <- images(n,3,size,size). */
void atl_clip_vit_run(atl_clip_vit_t *vit, float *features, const float *images, int32_t n);
size_t atl_clip_vit_bytes(const atl_clip_vit_t *vit); /* bytes allocated */
/* Floats of scratch for pictures, with the tower's. Pure. */
int64_t atl_clip_vit_scratch_items(const atl_clip_config_t *config);

#endif
