#include "model/clip/source.h"

/* Frees the converted weights as soon as they are packed, so that a half-precision file is never whole in fp32. */
atl_status_t atl_clip_read_linear(const atl_clip_source_t *source, const atl_clip_pair_t *tensors, int64_t n_out,
                                  int64_t n_in, atl_activation_t activation, atl_nn_linear_t *linear) {
  atl_arena_t converted = {0};
  atl_status_t status = ATL_WEIGHTS_BIND(source->weights, &converted, *tensors);
  const atl_linear_spec_t spec = {.weight = tensors->weight.value,
                                  .bias = tensors->bias.value,
                                  .n_out = n_out,
                                  .n_in = n_in,
                                  .dtype = source->dtype,
                                  .activation = activation};
  if (status == ATL_OK) status = atl_nn_linear_init(linear, &spec, NULL);
  atl_arena_clear(&converted);
  return status;
}

static atl_status_t new_transposed(const float *projection, atl_dtype_t dtype, int64_t n_in, int64_t n_out,
                                   atl_arena_t *temporary, atl_nn_linear_t *linear) {
  float *transposed;
  ATL_TRY(ATL_TAKE(temporary, n_in * n_out, &transposed));
  for (int64_t i = 0; i < n_in; i++)
    for (int64_t o = 0; o < n_out; o++) transposed[o * n_in + i] = projection[i * n_out + o];
  const atl_linear_spec_t spec = {.weight = transposed, .n_out = n_out, .n_in = n_in, .dtype = dtype};
  return atl_nn_linear_init(linear, &spec, NULL);
}

atl_status_t atl_clip_read_projection(const atl_clip_source_t *source, const atl_parameter_t *tensor, int64_t n_in,
                                      int64_t n_out, atl_nn_linear_t *linear) {
  atl_arena_t converted = {0};
  atl_status_t status = ATL_WEIGHTS_BIND(source->weights, &converted, *tensor);
  if (status == ATL_OK) status = new_transposed(tensor->value, source->dtype, n_in, n_out, &converted, linear);
  atl_arena_clear(&converted);
  return status;
}
