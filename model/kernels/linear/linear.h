/* Linear: y(N,O) = epilogue(x(N,I) . W(O,I)^T + b(O)), with W packed once at load.
 *
 *     atl_linear_t *up;
 *     atl_linear_spec_t spec = {.weight = w, .bias = b, .n_out = O, .n_in = I, .dtype = ATL_F32};
 *     ATL_TRY(atl_linear_new(&spec, &up));
 *     atl_linear_apply(up, y, ldy, x, ldx, n_rows, &(atl_epilogue_t){.residual = y, .ld_residual = ldy});
 *     atl_linear_destroy(&up);
 *
 * The whole program relies on one promise (docs/architecture.md): each row's result depends on that row alone. It is
 * bit for bit the same for any n_rows, any position of the row in the batch and any number of threads. Every backend
 * keeps it except those of libraries, whose last bits may depend on the row's position
 * (atl_backend_has_independent_rows).
 *
 * dtype F32: fp32 weights and sums; our own fp32 kernels add products in order of i with fused multiply-add, so they
 * agree bit for bit with each other and with the plain twin. BF16: weights and x are rounded to bf16, sums are fp32.
 *
 * x and y may not overlap, except that `residual` may be y. The object owns scratch, so it takes one call at a time.
 * OpenMP inside. */
#ifndef ATL_MODEL_KERNELS_LINEAR_LINEAR_H
#define ATL_MODEL_KERNELS_LINEAR_LINEAR_H

#include "model/kernels/activation/activation.h"
#include "model/kernels/backend.h"

typedef struct atl_linear atl_linear_t;

typedef struct {
  const float *weight; /* (O,I) row-major; read during `new` only */
  const float *bias;   /* (O) or NULL; copied */
  int64_t n_out, n_in;
  atl_dtype_t dtype; /* ATL_F32 or ATL_BF16 */
  atl_backend_t backend;
  atl_activation_t activation; /* GEGLU changes the packing, so the activation belongs to the layer */
} atl_linear_spec_t;

/* Applied to a row after the activation: y = residual + scale * act(...). Each part is optional. */
typedef struct {
  const float *scale;    /* (O) LayerScale, or NULL for 1 */
  const float *residual; /* (N,O) with leading dimension ld_residual, or NULL for 0; may be y itself */
  int64_t ld_residual;
} atl_epilogue_t;

/* INPUT for a size of 0 or too large, or an odd n_out with GEGLU; UNSUPPORTED if this CPU or build lacks the backend;
 * MEMORY. Caller owns. */
atl_status_t atl_linear_new(const atl_linear_spec_t *spec, atl_linear_t **linear);
void atl_linear_destroy(atl_linear_t **linear);

/* Packs other weights (O,I) and bias (O) of the spec's sizes into the same memory; with bias NULL the packed bias stays
 * as it is. UNSUPPORTED with the backend of a library. OpenMP inside. */
atl_status_t atl_linear_repack(atl_linear_t *linear, const float *weight, const float *bias);

/* y(N,O), rows ldy apart <- x(N,I), rows ldx apart. epilogue may be NULL. */
void atl_linear_apply(const atl_linear_t *linear, float *y, int64_t ldy, const float *x, int64_t ldx, int64_t n_rows,
                      const atl_epilogue_t *epilogue);

/* Packed size: bytes of weights that a call reads. */
size_t atl_linear_bytes(const atl_linear_t *linear);
/* Bytes allocated by `new` for a spec: packed weights, bias and scratch. Pure arithmetic. */
size_t atl_linear_get_bytes(const atl_linear_spec_t *spec);

#endif
