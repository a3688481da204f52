/* CLIP's ResNet: encodes pictures with convolutions and an attention pool. Features are not normalised. */
#ifndef ATL_MODEL_CLIP_RESNET_H
#define ATL_MODEL_CLIP_RESNET_H

#include "model/checkpoint/model.h"
#include "model/clip/source.h"

typedef struct atl_clip_resnet atl_clip_resnet_t;
/* INPUT, MEMORY. Borrows the file, which must outlive the ResNet. Caller owns. */
atl_status_t atl_clip_resnet_new(const atl_clip_source_t *source, const atl_clip_config_t *config,
                                 atl_clip_resnet_t **resnet);
void atl_clip_resnet_destroy(atl_clip_resnet_t **resnet);
/* features(n,E_J) <- images(n,3,size,size). */
void atl_clip_resnet_run(atl_clip_resnet_t *resnet, float *features, const float *images, int32_t n);
size_t atl_clip_resnet_bytes(const atl_clip_resnet_t *resnet); /* bytes allocated */
/* Floats of the picture buffers. Pure. */
int64_t atl_clip_resnet_scratch_items(const atl_clip_config_t *config);

#endif
