/* Backend: which code computes the kernels. One registry with a row a backend says what it is called, whether this build
 * has it, what this CPU lacks for it, which operations it brings, and who lends it the others. `auto` is resolved there
 * and nowhere else.
 *
 *     atl_backend_t backend;
 *     ATL_TRY(atl_backend_find("avx512", &backend));
 *     if (!atl_backend_is_available(backend, ATL_BF16)) ...
 *     puts(atl_backend_explain(backend, text, sizeof text));    "avx512: built, this CPU has it; auto takes it for ..."
 *
 * To add one: a name in ATL_BACKENDS, a row in backend.c, and a file with its operations (backend_private.h).
 */
#ifndef ATL_MODEL_KERNELS_BACKEND_H
#define ATL_MODEL_KERNELS_BACKEND_H

#include "common/tensor.h"

/* Own kernels from the slowest to the fastest, then libraries. */
#define ATL_BACKENDS(X)                                                                                                \
  X(PLAIN, "plain") X(AVX2, "avx2") X(AVX512, "avx512") X(AMX, "amx") X(OPENBLAS, "openblas") X(ONEDNN, "onednn")

typedef enum {
  ATL_BACKEND_AUTO, /* the fastest of those that keep every promise */
#define X(id, name) ATL_BACKEND_##id,
  ATL_BACKENDS(X)
#undef X
      ATL_N_BACKENDS
} atl_backend_t;

/* "auto, plain, ..., onednn", for help texts and messages. */
#define ATL_BACKEND_COMMA_NAME(id, name) ", " name
#define ATL_BACKEND_NAMES "auto" ATL_BACKENDS(ATL_BACKEND_COMMA_NAME)

const char *atl_backend_name(atl_backend_t backend);
/* ATL_BACKEND_AUTO for "auto"; USAGE for unknown names. */
atl_status_t atl_backend_find(const char *name, atl_backend_t *backend);

/* Does this build and CPU have its linear layers of a dtype (F32 or BF16)? */
bool atl_backend_is_available(atl_backend_t backend, atl_dtype_t dtype);
/* The linear layers that AUTO comes to on this CPU; others stay as they are. */
atl_backend_t atl_backend_choose(atl_backend_t wanted, atl_dtype_t dtype);
/* A library's backend is there for comparison; AUTO never takes it for linear layers. */
bool atl_backend_is_library(atl_backend_t backend);
/* Is a row's result bit for bit the same at any place of any batch? Where not, the layout of a run may change its last
 * bits. True for all own kernels and AUTO. */
bool atl_backend_has_independent_rows(atl_backend_t backend);

/* One line, "amx: built, this CPU lacks amx_tile", into text; returns text. 256 bytes are enough. */
const char *atl_backend_explain(atl_backend_t backend, char *text, size_t text_bytes);
/* Everything about the kernels that decides the last bits of a run with this backend and dtype, into text; returns
 * text. Ranks with equal texts compute equal bits. 256 bytes are enough. Example:
 * "linear F32 fma, attention fma, convolution oneDNN 2.7.3 avx512_core_bf16". */
const char *atl_backend_describe(atl_backend_t backend, atl_dtype_t dtype, char *text, size_t text_bytes);

#endif
