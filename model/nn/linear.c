#include "model/nn/linear.h"

#include "common/memory.h"
#include "model/kernels/linear/gradient.h"
#include "model/nn/activation.h"

/* transposed(I,O) <- weight(O,I), in strips of 32 columns, so that the lines written stay in cache. */
static void transpose(float *transposed, const float *weight, int64_t n_out, int64_t n_in) {
  enum { SQUARE = 32 };
#pragma omp parallel for
  for (int64_t first = 0; first < n_in; first += SQUARE) {
    int64_t end = first + SQUARE < n_in ? first + SQUARE : n_in;
    for (int64_t o = 0; o < n_out; o++)
      for (int64_t i = first; i < end; i++) transposed[i * n_out + o] = weight[o * n_in + i];
  }
}

/* Packs W^T, reusing the layer's memory when it was packed before; `like` is then unused. */
static atl_status_t pack_transposed(atl_nn_linear_t *layer, const atl_linear_spec_t *like) {
  float *transposed;
  ATL_TRY(ATL_NEW(layer->n_out * layer->n_in, &transposed));
  transpose(transposed, layer->weight, layer->n_out, layer->n_in);
  atl_status_t status;
  if (layer->transposed != NULL) {
    status = atl_linear_repack(layer->transposed, transposed, NULL);
  } else {
    const atl_linear_spec_t spec = {.weight = transposed,
                                    .n_out = layer->n_in,
                                    .n_in = layer->n_out,
                                    .dtype = like->dtype,
                                    .backend = like->backend};
    status = atl_linear_new(&spec, &layer->transposed);
  }
  ATL_DESTROY(&transposed);
  return status;
}

atl_status_t atl_nn_linear_init(atl_nn_linear_t *layer, const atl_linear_spec_t *spec,
                                const atl_nn_linear_gradient_t *gradient) {
  *layer = (atl_nn_linear_t){.n_in = spec->n_in, .n_out = spec->n_out, .activation = spec->activation};
  if (gradient == NULL) return atl_linear_new(spec, &layer->packed);
  ATL_CHECK(spec->backend != ATL_BACKEND_OPENBLAS && spec->backend != ATL_BACKEND_ONEDNN, UNSUPPORTED,
            "training expects atelier's own kernels, found backend %s; try auto", atl_backend_name(spec->backend));
  ATL_ASSERT((spec->bias == NULL) == (gradient->bias == NULL));
  layer->weight = spec->weight;
  layer->bias = spec->bias;
  layer->gradient = *gradient;
  atl_linear_spec_t without_activation = *spec;
  without_activation.activation = ATL_ACTIVATION_NONE;
  ATL_TRY(atl_linear_new(&without_activation, &layer->packed));
  return pack_transposed(layer, spec);
}

void atl_nn_linear_clear(atl_nn_linear_t *layer) {
  atl_linear_destroy(&layer->packed);
  atl_linear_destroy(&layer->transposed);
}

static int64_t n_results(const atl_nn_linear_t *layer) {
  return layer->activation == ATL_ACTIVATION_GEGLU ? layer->n_out / 2 : layer->n_out;
}

void atl_nn_linear_forward_into(const atl_nn_linear_t *layer, float *y, int64_t ldy, const float *x, int64_t ldx,
                                int64_t n, const atl_epilogue_t *epilogue, atl_nn_linear_saved_t *saved) {
  if (saved != NULL) {
    ATL_ASSERT(layer->transposed != NULL && layer->activation == ATL_ACTIVATION_NONE && ldx == layer->n_in);
    saved->x = x;
    saved->n = n;
  }
  atl_linear_apply(layer->packed, y, ldy, x, ldx, n, epilogue);
}

void atl_nn_linear_forward(const atl_nn_linear_t *layer, float *y, const float *x, int64_t n,
                           atl_nn_linear_saved_t *saved) {
  bool is_fused = layer->transposed == NULL || layer->activation == ATL_ACTIVATION_NONE;
  if (is_fused) {
    atl_nn_linear_forward_into(layer, y, n_results(layer), x, layer->n_in, n, NULL, saved);
    return;
  }
  ATL_ASSERT(saved != NULL && saved->z != NULL);
  saved->x = x;
  saved->n = n;
  atl_linear_apply(layer->packed, saved->z, layer->n_out, x, layer->n_in, n, NULL); /* z(n,O) */
  atl_nn_activation_forward(layer->activation, y, saved->z, n, layer->n_out);       /* y(n,O) or (n,O/2) */
}

void atl_nn_linear_backward(const atl_nn_linear_t *layer, float *dx, const float *dy, atl_nn_linear_saved_t *saved) {
  ATL_ASSERT(layer->transposed != NULL && saved->n_samples > 0 && saved->n % saved->n_samples == 0);
  const float *dz = dy;
  if (layer->activation != ATL_ACTIVATION_NONE) {
    atl_nn_activation_backward(layer->activation, saved->z, dy, saved->z, saved->n, layer->n_out); /* dz(n,O) over z */
    dz = saved->z;
  }
  const atl_linear_gradient_t sums = {.dy = dz,
                                      .x = saved->x,
                                      .n_samples = saved->n_samples,
                                      .sample_rows = saved->n / saved->n_samples,
                                      .n_out = layer->n_out,
                                      .n_in = layer->n_in};
  if (dx != NULL) /* dx(n,I) = dz(n,O) . W(O,I) */
    atl_linear_apply(layer->transposed, dx, layer->n_in, dz, layer->n_out, saved->n, NULL);
  atl_linear_add_weight_gradient(&sums, layer->gradient.weight);                               /* dW += dz^T x */
  if (layer->gradient.bias != NULL) atl_linear_add_bias_gradient(&sums, layer->gradient.bias); /* db += sum of dz */
}

atl_status_t atl_nn_linear_repack(atl_nn_linear_t *layer) {
  ATL_ASSERT(layer->transposed != NULL);
  ATL_TRY(atl_linear_repack(layer->packed, layer->weight, layer->bias));
  return pack_transposed(layer, NULL);
}
