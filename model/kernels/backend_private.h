/* Backend, inside: a row of the registry, and how kernels find their operations in it. For model/kernels alone.
 *
 * A backend's file defines operations (an atl_linear_ops_t, ...) and declares them in its kernels' private header; its
 * row in backend.c names them. An operation that is NULL or not built, or whose lacks() names a feature, is taken from
 * the row's delegate instead. */
#ifndef ATL_MODEL_KERNELS_BACKEND_PRIVATE_H
#define ATL_MODEL_KERNELS_BACKEND_PRIVATE_H

#include "model/kernels/backend.h"

typedef struct atl_linear_ops atl_linear_ops_t;       /* linear/linear_private.h */
typedef struct atl_attention_ops atl_attention_ops_t; /* attention/attention_private.h */
typedef struct atl_conv_ops atl_conv_ops_t;           /* conv/conv_private.h */

typedef struct {
  const atl_linear_ops_t *linear_f32, *linear_bf16;
  const atl_attention_ops_t *attention;
  const atl_conv_ops_t *conv;       /* NULL: gathered windows through linear layers */
  const char *bits_f32, *bits_bf16; /* how linear layers sum: backends with equal words give equal bits */
  atl_backend_t delegate;           /* has what this one lacks; PLAIN has all */
  bool is_library;                  /* never taken by AUTO for linear layers */
  bool has_dependent_rows;          /* a row's last bits may depend on its place in the batch */
  const char *(*describe)(char *text, size_t text_bytes); /* a library's version and what it chose; NULL for own */
} atl_backend_row_t;

/* The operations for a wanted backend, AUTO included; never NULL, but for convolutions. */
const atl_linear_ops_t *atl_backend_linear(atl_backend_t wanted, atl_dtype_t dtype);
const atl_attention_ops_t *atl_backend_attention(atl_backend_t wanted);
/* NULL: none but linear layers over gathered windows. */
const atl_conv_ops_t *atl_backend_conv(atl_backend_t wanted, atl_dtype_t dtype);

/* conv/onednn.c, for its linear layers too: bf16 needs AVX-512, with or without AVX512-BF16. */
const char *atl_backend_onednn_lacks_bf16(void);
const char *atl_backend_describe_openblas(char *text, size_t text_bytes); /* linear/openblas.c */
const char *atl_backend_describe_onednn(char *text, size_t text_bytes);   /* conv/onednn.c */

#endif
