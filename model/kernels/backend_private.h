/* Backend, internal: a row of the registry, and how kernels find their operations in it. Include it only below
 * model/kernels.
 *
 * A backend's file defines operations (an atl_linear_ops_t, ...) and declares them in the private header of their
 * kernels; its row in backend.c names them. Where an operation is NULL or not built, or its lacks() names a feature,
 * the row's delegate supplies it. */
#ifndef ATL_MODEL_KERNELS_BACKEND_PRIVATE_H
#define ATL_MODEL_KERNELS_BACKEND_PRIVATE_H

#include "model/kernels/backend.h"

typedef struct atl_linear_ops atl_linear_ops_t;       /* linear/linear_private.h */
typedef struct atl_attention_ops atl_attention_ops_t; /* attention/attention_private.h */
typedef struct atl_conv_ops atl_conv_ops_t;           /* conv/conv_private.h */

typedef struct {
  const atl_linear_ops_t *linear_f32, *linear_bf16;
  const atl_attention_ops_t *attention;
  const atl_conv_ops_t *conv;       /* NULL: convolutions run as linear layers over gathered windows */
  const char *bits_f32, *bits_bf16; /* the order of sums in linear layers: equal words mean equal bits */
  atl_backend_t delegate;           /* supplies what this backend lacks; PLAIN has everything */
  bool is_library;                  /* AUTO never selects it for linear layers */
  bool has_dependent_rows;          /* a row's last bits may depend on its position in the batch */
  const char *(*describe)(char *text, size_t text_bytes); /* a library: its version and kernels; else NULL */
} atl_backend_row_t;

/* The operations that run for a wanted backend, with AUTO and delegation resolved; never NULL. */
const atl_linear_ops_t *atl_backend_linear(atl_backend_t wanted, atl_dtype_t dtype);
const atl_attention_ops_t *atl_backend_attention(atl_backend_t wanted);
/* NULL: no backend has convolutions of its own for this; conv.c runs linear layers over gathered windows. */
const atl_conv_ops_t *atl_backend_conv(atl_backend_t wanted, atl_dtype_t dtype);

/* conv/onednn.c, also used by linear/onednn.c: bf16 needs AVX-512, with or without AVX512-BF16. Returns what is
 * missing, or NULL. */
const char *atl_backend_onednn_lacks_bf16(void);
const char *atl_backend_describe_openblas(char *text, size_t text_bytes); /* linear/openblas.c */
const char *atl_backend_describe_onednn(char *text, size_t text_bytes);   /* conv/onednn.c */

#endif
