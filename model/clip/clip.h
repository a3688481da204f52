/* CLIP: OpenAI's model, ViT or ResNet, which scores how well a picture fits a text. The features of a picture or text
 * do not depend on the others in its call.
 *
 *     atl_clip_t *clip;
 *     ATL_TRY(atl_clip_new(model, ATL_F32, &clip));
 *     ATL_TRY(atl_clip_preprocess(clip, image, rgb, height, width));
 *     atl_clip_image_features(clip, image_features, image, 1);
 *     ATL_TRY(atl_clip_text_features(clip, text_features, ids, 1));
 *     float score = atl_clip_score(clip, image_features, text_features);
 *     atl_clip_destroy(&clip);
 */
#ifndef ATL_MODEL_CLIP_CLIP_H
#define ATL_MODEL_CLIP_CLIP_H

#include "model/checkpoint/model.h"

typedef struct atl_clip atl_clip_t;

/* With dtype ATL_BF16 linear layers and convolutions multiply in bf16; everything else is fp32. INPUT, MEMORY. Borrows
 * the model, which must outlive CLIP. Caller owns. */
atl_status_t atl_clip_new(const atl_model_t *model, atl_dtype_t dtype, atl_clip_t **clip);
void atl_clip_destroy(atl_clip_t **clip);
/* out(3,n,n) <- rgb(height,width,3): resize the shorter side to n (Pillow's antialiased bicubic in fixed point), centre
 * crop, scale to 0..1, normalise. MEMORY. */
atl_status_t atl_clip_preprocess(atl_clip_t *clip, float *out, const uint8_t *rgb, int32_t height, int32_t width);
/* features(n,E_J), unit vectors, <- preprocessed images(n,3,size,size). */
void atl_clip_image_features(atl_clip_t *clip, float *features, const float *images, int32_t n);
/* features(n,E_J), unit vectors, <- ids(n,context): start, text, end (the largest id), zeros. INPUT: an id is outside
 * the vocabulary. */
atl_status_t atl_clip_text_features(atl_clip_t *clip, float *features, const int32_t *ids, int32_t n);
/* exp(logit_scale) cos(image, text) of two unit vectors (E_J). */
float atl_clip_score(const atl_clip_t *clip, const float *image_features, const float *text_features);
size_t atl_clip_bytes(const atl_clip_t *clip); /* bytes allocated */
/* Bytes that a CLIP of this configuration allocates: embeddings, packed weights, and the scratch of the picture
 * encoder. Pure. */
size_t atl_clip_memory(const atl_clip_config_t *config, atl_dtype_t dtype);

#endif
