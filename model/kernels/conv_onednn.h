/* Conv through oneDNN: one primitive for one picture, its weights in the layout the library likes best. Private to
 * model/kernels/conv.c, whose spec it takes. */
#ifndef ATL_MODEL_KERNELS_CONV_ONEDNN_H
#define ATL_MODEL_KERNELS_CONV_ONEDNN_H

#include "model/kernels/conv.h"

typedef struct atl_conv_onednn atl_conv_onednn_t;

/* INTERNAL with the library's status when it refuses; MEMORY. Caller owns. */
atl_status_t atl_conv_onednn_new(const atl_conv_spec_t *spec, int32_t out_height, int32_t out_width,
                                 atl_conv_onednn_t **conv);
void atl_conv_onednn_destroy(atl_conv_onednn_t **conv);
/* y(H',W',O) of one picture <- x(H,W,I). */
void atl_conv_onednn_apply(const atl_conv_onednn_t *conv, float *y, const float *x);
size_t atl_conv_onednn_bytes(const atl_conv_onednn_t *conv);

#endif
