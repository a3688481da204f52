/* Convolutions by oneDNN: one primitive computes one picture. Pictures stay channels-last on both sides; only the
 * weights are reordered, once. The primitive has a batch of one, so a picture's arithmetic cannot depend on its
 * neighbours. Its scratchpad is ours, so nothing is allocated while it runs. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>

#include "common/memory.h"
#include "model/kernels/conv/conv_private.h"
#include "model/kernels/cpu.h"
#include "model/kernels/library.h"

struct atl_conv_part {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  dnnl_memory_t x, y, weights, bias, scratch;
  float *packed, *bias_copy, *scratch_bytes;
  size_t n_bytes;
};

#define TRY_DNNL(call)                                                                                                 \
  do {                                                                                                                 \
    dnnl_status_t dnnl_status = (call);                                                                                \
    if (dnnl_status != dnnl_success)                                                                                   \
      return ATL_FAIL(INTERNAL, "oneDNN refused %s with status %d; try another backend", #call, (int)dnnl_status);     \
  } while (0)

typedef struct {
  dnnl_memory_desc_t x, y, given_weights, weights, bias;
} descs_t;

static atl_status_t describe(const atl_conv_part_spec_t *spec, descs_t *descs) {
  const dnnl_dims_t x = {1, spec->n_in, spec->height, spec->width};
  const dnnl_dims_t y = {1, spec->n_out, spec->out_height, spec->out_width};
  const dnnl_dims_t weights = {spec->n_out, spec->n_in, spec->kernel, spec->kernel}, bias = {spec->n_out};
  dnnl_data_type_t type = spec->dtype == ATL_BF16 ? dnnl_bf16 : dnnl_f32;
  TRY_DNNL(dnnl_memory_desc_init_by_tag(&descs->x, 4, x, type, dnnl_nhwc));
  TRY_DNNL(dnnl_memory_desc_init_by_tag(&descs->y, 4, y, dnnl_f32, dnnl_nhwc));
  TRY_DNNL(dnnl_memory_desc_init_by_tag(&descs->given_weights, 4, weights, dnnl_f32, dnnl_ohwi));
  TRY_DNNL(dnnl_memory_desc_init_by_tag(&descs->weights, 4, weights, type, dnnl_format_tag_any));
  TRY_DNNL(dnnl_memory_desc_init_by_tag(&descs->bias, 1, bias, dnnl_f32, dnnl_a));
  return ATL_OK;
}

/* The residual is added first, then ReLU is applied: act(y + ...) of the spec. */
static atl_status_t add_post_ops(const atl_conv_part_spec_t *spec, dnnl_primitive_attr_t attributes) {
  dnnl_post_ops_t ops;
  TRY_DNNL(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user));
  TRY_DNNL(dnnl_post_ops_create(&ops));
  dnnl_status_t status = dnnl_success;
  if (spec->accumulates) status = dnnl_post_ops_append_sum(ops, 1);
  if (status == dnnl_success && spec->has_relu) status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
  if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, ops);
  dnnl_post_ops_destroy(ops);
  ATL_CHECK(status == dnnl_success, INTERNAL,
            "oneDNN refused a convolution's post-ops with status %d; try another backend", (int)status);
  return ATL_OK;
}

static dnnl_status_t describe_primitive(const atl_conv_part_spec_t *spec, const descs_t *descs, dnnl_engine_t engine,
                                        dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *primitive) {
  const dnnl_dims_t strides = {spec->stride, spec->stride}, before = {spec->pad_y, spec->pad_x};
  const dnnl_dims_t after = {(spec->out_height - 1) * spec->stride + spec->kernel - spec->height - spec->pad_y,
                             (spec->out_width - 1) * spec->stride + spec->kernel - spec->width - spec->pad_x};
  dnnl_convolution_desc_t conv;
  dnnl_status_t status =
      dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference, dnnl_convolution_direct, &descs->x,
                                         &descs->weights, &descs->bias, &descs->y, strides, before, after);
  return status == dnnl_success ? dnnl_primitive_desc_create(primitive, &conv, attributes, engine, NULL) : status;
}

static atl_status_t reorder_weights(atl_conv_part_t *conv, const dnnl_memory_desc_t *given, const float *weight) {
  dnnl_memory_t from;
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t reorder = NULL;
  const dnnl_memory_desc_t *packed;
  TRY_DNNL(dnnl_memory_get_memory_desc(conv->weights, &packed));
  TRY_DNNL(dnnl_memory_create(&from, given, conv->engine, (void *)(uintptr_t)weight));
  dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, given, conv->engine, packed, conv->engine, NULL);
  if (status == dnnl_success) {
    status = dnnl_primitive_create(&reorder, desc);
    dnnl_primitive_desc_destroy(desc);
  }
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, conv->weights}};
  if (status == dnnl_success) status = dnnl_primitive_execute(reorder, conv->stream, 2, arguments);
  if (status == dnnl_success) status = dnnl_stream_wait(conv->stream);
  if (reorder) dnnl_primitive_destroy(reorder);
  dnnl_memory_destroy(from);
  ATL_CHECK(status == dnnl_success, INTERNAL, "oneDNN refused to reorder weights with status %d; try another backend",
            (int)status);
  return ATL_OK;
}

static atl_status_t new_floats(atl_conv_part_t *conv, size_t n_bytes, float **block) {
  conv->n_bytes += n_bytes;
  return ATL_NEW(n_bytes / sizeof **block + 1, block);
}

static atl_status_t make_memories(atl_conv_part_t *conv, const atl_conv_part_spec_t *spec, const descs_t *descs,
                                  const_dnnl_primitive_desc_t primitive) {
  const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(primitive, dnnl_query_weights_md, 0);
  const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(primitive, dnnl_query_scratchpad_md, 0);
  ATL_TRY(new_floats(conv, dnnl_memory_desc_get_size(weights), &conv->packed));
  ATL_TRY(new_floats(conv, dnnl_memory_desc_get_size(scratch), &conv->scratch_bytes));
  ATL_TRY(new_floats(conv, (size_t)spec->n_out * sizeof(float), &conv->bias_copy));
  for (int32_t i = 0; spec->bias && i < spec->n_out; i++) conv->bias_copy[i] = spec->bias[i];
  TRY_DNNL(dnnl_memory_create(&conv->x, &descs->x, conv->engine, DNNL_MEMORY_NONE));
  TRY_DNNL(dnnl_memory_create(&conv->y, &descs->y, conv->engine, DNNL_MEMORY_NONE));
  TRY_DNNL(dnnl_memory_create(&conv->weights, weights, conv->engine, conv->packed));
  TRY_DNNL(dnnl_memory_create(&conv->bias, &descs->bias, conv->engine, conv->bias_copy));
  TRY_DNNL(dnnl_memory_create(&conv->scratch, scratch, conv->engine, conv->scratch_bytes));
  return reorder_weights(conv, &descs->given_weights, spec->weight);
}

static atl_status_t build(atl_conv_part_t *conv, const atl_conv_part_spec_t *spec, const descs_t *descs) {
  dnnl_primitive_attr_t attributes;
  dnnl_primitive_desc_t primitive;
  TRY_DNNL(dnnl_engine_create(&conv->engine, dnnl_cpu, 0));
  TRY_DNNL(dnnl_stream_create(&conv->stream, conv->engine, dnnl_stream_default_flags));
  TRY_DNNL(dnnl_primitive_attr_create(&attributes));
  atl_status_t added = add_post_ops(spec, attributes);
  dnnl_status_t status =
      added == ATL_OK ? describe_primitive(spec, descs, conv->engine, attributes, &primitive) : dnnl_runtime_error;
  dnnl_primitive_attr_destroy(attributes);
  ATL_CHECK(status == dnnl_success, INTERNAL, "oneDNN has no such convolution (status %d); try another backend",
            (int)status);
  atl_status_t made = make_memories(conv, spec, descs, primitive);
  if (made == ATL_OK) status = dnnl_primitive_create(&conv->primitive, primitive);
  dnnl_primitive_desc_destroy(primitive);
  ATL_TRY(made);
  ATL_CHECK(status == dnnl_success, INTERNAL, "oneDNN could not create a convolution (status %d); try another backend",
            (int)status);
  return ATL_OK;
}

static void destroy(atl_conv_part_t **conv) {
  atl_conv_part_t *c = *conv;
  if (!c) return;
  if (c->primitive) dnnl_primitive_destroy(c->primitive);
  dnnl_memory_t memories[] = {c->x, c->y, c->weights, c->bias, c->scratch};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
    if (memories[i]) dnnl_memory_destroy(memories[i]);
  if (c->stream) dnnl_stream_destroy(c->stream);
  if (c->engine) dnnl_engine_destroy(c->engine);
  ATL_DESTROY(&c->packed);
  ATL_DESTROY(&c->bias_copy);
  ATL_DESTROY(&c->scratch_bytes);
  ATL_DESTROY(conv);
}

static atl_status_t create(const atl_conv_part_spec_t *spec, atl_conv_part_t **conv) {
  *conv = NULL;
  descs_t descs;
  ATL_TRY(describe(spec, &descs));
  ATL_TRY(ATL_NEW(1, conv));
  atl_status_t status = build(*conv, spec, &descs);
  if (status != ATL_OK) destroy(conv);
  return status;
}

/* The handles were checked when they were created; setting a pointer and running a finished primitive cannot fail. */
static void apply(const atl_conv_part_t *conv, float *y, const void *x) {
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, conv->x},
                                       {DNNL_ARG_WEIGHTS, conv->weights},
                                       {DNNL_ARG_BIAS, conv->bias},
                                       {DNNL_ARG_DST, conv->y},
                                       {DNNL_ARG_SCRATCHPAD, conv->scratch}};
  ATL_ASSERT(dnnl_memory_set_data_handle(conv->x, (void *)(uintptr_t)x) == dnnl_success);
  ATL_ASSERT(dnnl_memory_set_data_handle(conv->y, y) == dnnl_success);
  ATL_ASSERT(dnnl_primitive_execute(conv->primitive, conv->stream, 5, arguments) == dnnl_success);
  ATL_ASSERT(dnnl_stream_wait(conv->stream) == dnnl_success);
}

static size_t count_bytes(const atl_conv_part_t *conv) { return conv->n_bytes; }

/* ONEDNN_MAX_CPU_ISA can limit oneDNN to less than the CPU has. */
const char *atl_backend_onednn_lacks_bf16(void) {
  if (atl_cpu_lacks_avx512() != NULL) return atl_cpu_lacks_avx512();
  unsigned isa = dnnl_get_effective_cpu_isa(), needed = dnnl_cpu_isa_avx512_core;
  return (isa & needed) == needed ? NULL : "avx512_core in oneDNN's ONEDNN_MAX_CPU_ISA";
}

static const char *lacks(atl_dtype_t dtype) { return dtype == ATL_BF16 ? atl_backend_onednn_lacks_bf16() : NULL; }

const atl_conv_ops_t atl_conv_onednn = {
    .lacks = lacks, .create = create, .destroy = destroy, .apply = apply, .bytes = count_bytes};

const char *atl_backend_describe_onednn(char *text, size_t text_bytes) {
  char library[ATL_LIBRARY_BYTES];
  snprintf(text, text_bytes, "oneDNN %s", atl_library_describe_onednn(library, sizeof library));
  return text;
}
