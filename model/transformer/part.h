/* Part: the layers of a transformer that one stage owns, the sequences it has room for, and the bytes these take. Types
 * only, shared by transformer.h and layer.h. */
#ifndef ATL_MODEL_TRANSFORMER_PART_H
#define ATL_MODEL_TRANSFORMER_PART_H

#include "common/tensor.h"
#include "model/kernels/linear/linear.h"

typedef struct {
  int32_t first_layer, end_layer; /* half open; a part with layer 0 embeds, one with layer L-1 has the head */
  int32_t n_prefixes;             /* prompts whose text keys and values fit */
  int32_t n_samples;              /* samples whose image keys and values fit */
  int32_t n_together;             /* n: samples [i*n,(i+1)*n) usually run in the same microbatch; 0: all samples */
  int32_t max_rows;               /* of a call */
  atl_dtype_t dtype;              /* ATL_F32 or ATL_BF16: weights and the cache's text part */
  atl_dtype_t kv;                 /* the cache's image part: ATL_F32, ATL_BF16 or ATL_I8 */
  atl_backend_t backend;
} atl_transformer_part_t;

/* Bytes that a part allocates. */
typedef struct {
  size_t weights, per_prefix, per_sample, scratch;
} atl_transformer_bytes_t;

/* Called between the steps of a layer, so that the caller can let MPI progress its messages; may be NULL. */
typedef void (*atl_transformer_progress_t)(void *context);

#endif
