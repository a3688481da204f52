/* Backend: which code computes the kernels. One registry holds a row per backend: its name, whether this build has it,
 * which feature this CPU lacks for it, its operations, and the backend that supplies the others. `auto` is resolved in
 * the registry and nowhere else. All functions are local; the strings they return are static unless they write into the
 * caller's text.
 *
 *     atl_backend_t backend;
 *     ATL_TRY(atl_backend_find("avx512", &backend));
 *     if (!atl_backend_is_available(backend, ATL_BF16)) ...
 *     puts(atl_backend_explain(backend, text, sizeof text));    "avx512: built, this CPU has it; auto selects it ..."
 *
 * To add a backend: a name in ATL_BACKENDS, a row in backend.c, and a file with its operations (backend_private.h). */
#ifndef ATL_MODEL_KERNELS_BACKEND_H
#define ATL_MODEL_KERNELS_BACKEND_H

#include "common/tensor.h"

/* Our own kernels from slowest to fastest, then libraries. */
#define ATL_BACKENDS(X)                                                                                                \
  X(PLAIN, "plain") X(AVX2, "avx2") X(AVX512, "avx512") X(AMX, "amx") X(OPENBLAS, "openblas") X(ONEDNN, "onednn")

typedef enum {
  ATL_BACKEND_AUTO, /* the fastest backend that keeps every promise */
#define X(id, name) ATL_BACKEND_##id,
  ATL_BACKENDS(X)
#undef X
      ATL_N_BACKENDS
} atl_backend_t;

/* "auto, plain, ..., onednn", for help texts and messages. */
#define ATL_BACKEND_COMMA_NAME(id, name) ", " name
#define ATL_BACKEND_NAMES "auto" ATL_BACKENDS(ATL_BACKEND_COMMA_NAME)

const char *atl_backend_name(atl_backend_t backend);
/* Looks up a name; "auto" gives ATL_BACKEND_AUTO. USAGE for an unknown name. */
atl_status_t atl_backend_find(const char *name, atl_backend_t *backend);

/* True if this build and this CPU have the backend's linear layers of dtype; false for any dtype but F32 and BF16. */
bool atl_backend_is_available(atl_backend_t backend, atl_dtype_t dtype);
/* Resolves AUTO to the backend whose linear layers it selects on this CPU; returns any other backend unchanged. */
atl_backend_t atl_backend_choose(atl_backend_t wanted, atl_dtype_t dtype);
/* True for backends that wrap a library. They exist for comparison: AUTO never selects one for linear layers. */
bool atl_backend_is_library(atl_backend_t backend);
/* True if a row's result is bit for bit the same at any position of any batch, as for all own kernels and AUTO. Where
 * it is false, the layout of a run may change the last bits of its results. */
bool atl_backend_has_independent_rows(atl_backend_t backend);

/* Writes one line, "amx: built, this CPU lacks amx_tile", into text and returns text. 256 bytes are enough. */
const char *atl_backend_explain(atl_backend_t backend, char *text, size_t text_bytes);
/* Writes everything about the kernels that decides the last bits of a run with this backend and dtype into text and
 * returns text. Ranks with equal texts compute equal bits. 256 bytes are enough. Example:
 * "linear F32 fma, attention fma, convolution oneDNN 2.7.3 avx512_core_bf16". */
const char *atl_backend_describe(atl_backend_t backend, atl_dtype_t dtype, char *text, size_t text_bytes);

#endif
