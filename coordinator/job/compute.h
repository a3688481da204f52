/* Compute: the data types and kernels a job computes with, as words of the command line and as the values in the job.
 *
 *     atl_compute_t compute;
 *     ATL_TRY(atl_compute_parse(&(atl_compute_words_t){"bf16", "int8", "auto"}, &compute));
 */
#ifndef ATL_COORDINATOR_JOB_COMPUTE_H
#define ATL_COORDINATOR_JOB_COMPUTE_H

#include "model/kernels/backend.h"

typedef struct {
  const char *dtype, *kv, *kernels; /* --dtype, --kv, --kernels */
} atl_compute_words_t;

typedef struct {
  atl_dtype_t dtype, kv; /* dtype: of the weights; kv: of the cached image keys and values */
  atl_backend_t backend;
} atl_compute_t;

/* USAGE: unknown word. UNSUPPORTED: this processor or build lacks the kernels. Warns on rank 0 about kernels with which
 * another layout may give other pictures. Local. */
atl_status_t atl_compute_parse(const atl_compute_words_t *words, atl_compute_t *compute);
/* The command-line word of a dtype: "f32", "bf16", "int8". */
const char *atl_compute_dtype_word(atl_dtype_t dtype);

/* Rows of an option table; at: offset of an atl_compute_words_t in the command's settings. */
#define ATL_COMPUTE_OPTION_DTYPE(at)                                                                                   \
  { "dtype", ATL_OPTION_TEXT, (at) + offsetof(atl_compute_words_t, dtype), "NAME", "f32", "f32, or bf16 for weights" }
#define ATL_COMPUTE_OPTION_KV(at)                                                                                      \
  {                                                                                                                    \
    "kv", ATL_OPTION_TEXT, (at) + offsetof(atl_compute_words_t, kv), "NAME", "auto",                                   \
        "dtype of the cache: auto (as --dtype), f32, bf16, or int8, which takes half of bf16's memory"                 \
  }
#define ATL_COMPUTE_OPTION_KERNELS(at)                                                                                 \
  {                                                                                                                    \
    "kernels", ATL_OPTION_TEXT, (at) + offsetof(atl_compute_words_t, kernels), "NAME", "auto",                         \
        ATL_BACKEND_NAMES                                                                                              \
        "; openblas and onednn are for comparison: with them the layout may change a result's last bits"               \
  }

#endif
