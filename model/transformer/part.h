/* Part: which layers of a transformer one stage owns, what it holds of their sequences, and the bytes that takes. Types
 * only: the transformer and the layers it is made of both speak of them. */
#ifndef ATL_MODEL_TRANSFORMER_PART_H
#define ATL_MODEL_TRANSFORMER_PART_H

#include "common/tensor.h"
#include "model/kernels/linear/linear.h"

typedef struct {
  int32_t first_layer, end_layer; /* half open; first_layer 0 embeds, end_layer L has the head */
  int32_t n_prefixes;             /* text key/value stores */
  int32_t n_samples;              /* image key/value stores */
  int32_t n_together;             /* of them, [i*n,(i+1)*n) usually run together, as a microbatch; 0: all */
  int32_t max_rows;               /* rows a call may have */
  atl_dtype_t dtype;              /* ATL_F32 or ATL_BF16: weights and the cache's text part */
  atl_dtype_t kv;                 /* the cache's image part: ATL_F32, ATL_BF16 or ATL_I8 */
  atl_backend_t backend;
} atl_transformer_part_t;

/* Bytes that a part allocates. */
typedef struct {
  size_t weights, per_prefix, per_sample, scratch;
} atl_transformer_bytes_t;

/* Called between the steps of a layer, so that the caller can let its messages progress; may be NULL. */
typedef void (*atl_transformer_progress_t)(void *context);

#endif
