/* oneDNN as a linear backend: an inner product of LIBRARY_ROWS rows, created once per layer, with the weights in the
 * order that oneDNN prefers. Its AVX2 kernel sums in another order for the last rows of a batch; its AVX-512 kernels
 * have not been seen to. */
#include <dnnl.h>

#include "model/kernels/linear/linear_private.h"

struct library {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_desc_t description;
  dnnl_primitive_t product;
  dnnl_memory_t x, weight, sums;
};

#define DNNL_TRY(call)                                                                                                 \
  do {                                                                                                                 \
    dnnl_status_t dnnl_try_status = (call);                                                                            \
    ATL_CHECK(dnnl_try_status != dnnl_out_of_memory, MEMORY, "oneDNN ran out of memory for a linear layer");           \
    ATL_CHECK(dnnl_try_status == dnnl_success, UNSUPPORTED,                                                            \
              "oneDNN cannot create this linear layer (status %d); try "                                               \
              "another backend",                                                                                       \
              (int)dnnl_try_status);                                                                                   \
  } while (0)

static atl_status_t describe(atl_linear_t *linear, int64_t n_columns) {
  library_t *dnn = linear->library;
  dnnl_data_type_t type = linear->dtype == ATL_BF16 ? dnnl_bf16 : dnnl_f32;
  dnnl_memory_desc_t x, weight, sums;
  dnnl_inner_product_desc_t product;
  DNNL_TRY(dnnl_memory_desc_init_by_tag(&x, 2, (dnnl_dims_t){LIBRARY_ROWS, linear->n_in}, type, dnnl_ab));
  DNNL_TRY(dnnl_memory_desc_init_by_tag(&weight, 2, (dnnl_dims_t){n_columns, linear->n_in}, type, dnnl_format_tag_any));
  DNNL_TRY(dnnl_memory_desc_init_by_tag(&sums, 2, (dnnl_dims_t){LIBRARY_ROWS, n_columns}, dnnl_f32, dnnl_ab));
  DNNL_TRY(dnnl_inner_product_forward_desc_init(&product, dnnl_forward_inference, &x, &weight, NULL, &sums));
  DNNL_TRY(dnnl_primitive_desc_create(&dnn->description, &product, NULL, dnn->engine, NULL));
  DNNL_TRY(dnnl_primitive_create(&dnn->product, dnn->description));
  DNNL_TRY(dnnl_memory_create(&dnn->x, &x, dnn->engine, linear->rows));
  DNNL_TRY(dnnl_memory_create(&dnn->sums, &sums, dnn->engine, linear->sums));
  return ATL_OK;
}

/* Converts the plain fp32 weights into the library's order. */
static atl_status_t reorder(library_t *dnn, dnnl_memory_t plain) {
  dnnl_primitive_desc_t description;
  dnnl_primitive_t copy;
  const dnnl_memory_desc_t *from, *to;
  DNNL_TRY(dnnl_memory_get_memory_desc(plain, &from));
  DNNL_TRY(dnnl_memory_get_memory_desc(dnn->weight, &to));
  DNNL_TRY(dnnl_reorder_primitive_desc_create(&description, from, dnn->engine, to, dnn->engine, NULL));
  dnnl_status_t status = dnnl_primitive_create(&copy, description);
  dnnl_primitive_desc_destroy(description);
  DNNL_TRY(status);
  dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, dnn->weight}};
  status = dnnl_primitive_execute(copy, dnn->stream, 2, arguments);
  if (status == dnnl_success) status = dnnl_stream_wait(dnn->stream);
  dnnl_primitive_destroy(copy);
  DNNL_TRY(status);
  return ATL_OK;
}

static atl_status_t pack(atl_linear_t *linear, const float *weight, int64_t n_columns) {
  library_t *dnn = linear->library;
  const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(dnn->description, dnnl_query_weights_md, 0);
  char *bytes;

  ATL_TRY(ATL_TAKE(&linear->arena, dnnl_memory_desc_get_size(wanted), &bytes));
  DNNL_TRY(dnnl_memory_create(&dnn->weight, wanted, dnn->engine, bytes));
  dnnl_memory_desc_t plain_order;
  dnnl_memory_t plain;
  DNNL_TRY(dnnl_memory_desc_init_by_tag(&plain_order, 2, (dnnl_dims_t){n_columns, linear->n_in}, dnnl_f32, dnnl_ab));
  DNNL_TRY(dnnl_memory_create(&plain, &plain_order, dnn->engine, (void *)(uintptr_t)weight));
  atl_status_t status = reorder(dnn, plain);
  dnnl_memory_destroy(plain);
  return status;
}

static atl_status_t init(atl_linear_t *linear, float **weight, int64_t n_columns) {
  ATL_TRY(ATL_TAKE(&linear->arena, 1, &linear->library));
  DNNL_TRY(dnnl_engine_create(&linear->library->engine, dnnl_cpu, 0));
  DNNL_TRY(dnnl_stream_create(&linear->library->stream, linear->library->engine, dnnl_stream_default_flags));
  ATL_TRY(describe(linear, n_columns));
  return pack(linear, *weight, n_columns);
}

static void run(const atl_linear_t *linear) {
  const library_t *dnn = linear->library;
  dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, dnn->x}, {DNNL_ARG_WEIGHTS, dnn->weight}, {DNNL_ARG_DST, dnn->sums}};
  ATL_ASSERT(dnnl_primitive_execute(dnn->product, dnn->stream, 3, arguments) == dnnl_success);
  ATL_ASSERT(dnnl_stream_wait(dnn->stream) == dnnl_success);
}

static void clear(atl_linear_t *linear) {
  library_t *dnn = linear->library;
  if (dnn == NULL) return;
  if (dnn->x != NULL) dnnl_memory_destroy(dnn->x);
  if (dnn->weight != NULL) dnnl_memory_destroy(dnn->weight);
  if (dnn->sums != NULL) dnnl_memory_destroy(dnn->sums);
  if (dnn->product != NULL) dnnl_primitive_destroy(dnn->product);
  if (dnn->description != NULL) dnnl_primitive_desc_destroy(dnn->description);
  if (dnn->stream != NULL) dnnl_stream_destroy(dnn->stream);
  if (dnn->engine != NULL) dnnl_engine_destroy(dnn->engine);
}

const atl_linear_ops_t atl_linear_onednn_f32 = {
    .lacks = atl_cpu_lacks_nothing, .init = init, .run = run, .clear = clear};
const atl_linear_ops_t atl_linear_onednn_bf16 = {
    .lacks = atl_backend_onednn_lacks_bf16, .init = init, .run = run, .clear = clear};
