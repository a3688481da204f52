#include "model/kernels/backend.h"

#include <stdio.h>
#include <string.h>

#include "model/kernels/attention/attention_private.h"
#include "model/kernels/backend_private.h"
#include "model/kernels/conv/conv_private.h"
#include "model/kernels/linear/linear_private.h"

static const char *const backend_names[ATL_N_BACKENDS] = {"auto",
#define X(id, name) name,
                                                          ATL_BACKENDS(X)
#undef X
};

/* In own kernels an fp32 sum is one chain of fused multiply-adds in order of i, whatever the vector width. So is a bf16
 * sum unless an instruction adds pairs. Attention gives the same bits on every CPU. */
static const atl_backend_row_t registry[ATL_N_BACKENDS] = {
    [ATL_BACKEND_PLAIN] = {.linear_f32 = &atl_linear_plain_f32,
                           .linear_bf16 = &atl_linear_plain_bf16,
                           .attention = &atl_attention_plain,
                           .bits_f32 = "fma",
                           .bits_bf16 = "fma",
                           .delegate = ATL_BACKEND_PLAIN},
    [ATL_BACKEND_AVX2] = {.linear_f32 = &atl_linear_avx2_f32,
                          .linear_bf16 = &atl_linear_avx2_bf16,
                          .attention = &atl_attention_avx2,
                          .bits_f32 = "fma",
                          .bits_bf16 = "fma",
                          .delegate = ATL_BACKEND_PLAIN},
    [ATL_BACKEND_AVX512] = {.linear_f32 = &atl_linear_avx512_f32,
                            .linear_bf16 = &atl_linear_avx512_bf16,
                            .attention = &atl_attention_avx512,
                            .bits_f32 = "fma",
                            .bits_bf16 = "vdpbf16ps",
                            .delegate = ATL_BACKEND_AVX2},
    [ATL_BACKEND_AMX] = {.linear_bf16 = &atl_linear_amx_bf16, .bits_bf16 = "tdpbf16ps", .delegate = ATL_BACKEND_AVX512},
    [ATL_BACKEND_OPENBLAS] = {.linear_f32 = &atl_linear_openblas_f32,
                              .delegate = ATL_BACKEND_AMX,
                              .is_library = true,
                              .has_dependent_rows = true,
                              .describe = atl_backend_describe_openblas},
    [ATL_BACKEND_ONEDNN] = {.linear_f32 = &atl_linear_onednn_f32,
                            .linear_bf16 = &atl_linear_onednn_bf16,
                            .conv = &atl_conv_onednn,
                            .delegate = ATL_BACKEND_AMX,
                            .is_library = true,
                            .has_dependent_rows = true,
                            .describe = atl_backend_describe_onednn},
};

/* ---- one row ---- */

static const atl_linear_ops_t *linear_of(atl_backend_t backend, atl_dtype_t dtype) {
  const atl_backend_row_t *row = &registry[backend];
  const atl_linear_ops_t *ops = dtype == ATL_BF16 ? row->linear_bf16 : row->linear_f32;
  bool is_built = ops != NULL && (ops->tile != NULL || ops->run != NULL);
  return is_built ? ops : NULL;
}

static const atl_attention_ops_t *attention_of(atl_backend_t backend) {
  const atl_attention_ops_t *ops = registry[backend].attention;
  return ops != NULL && ops->kernels != NULL ? ops : NULL;
}

static bool has_linear(atl_backend_t backend, atl_dtype_t dtype) {
  const atl_linear_ops_t *ops = linear_of(backend, dtype);
  return ops != NULL && ops->lacks() == NULL;
}

static bool has_attention(atl_backend_t backend) {
  const atl_attention_ops_t *ops = attention_of(backend);
  return ops != NULL && ops->lacks() == NULL;
}

static bool has_conv(atl_backend_t backend, atl_dtype_t dtype) {
  const atl_conv_ops_t *ops = registry[backend].conv;
  return ops != NULL && ops->lacks(dtype) == NULL;
}

/* ---- which one runs ---- */

/* The fastest own backend of the registry; delegation leads from it to the fastest one that has an operation here. */
static atl_backend_t fastest_own(void) {
  atl_backend_t fastest = ATL_BACKEND_PLAIN;
  for (int b = ATL_BACKEND_PLAIN; b < ATL_N_BACKENDS; b++)
    if (!registry[b].is_library) fastest = (atl_backend_t)b;
  return fastest;
}

static atl_backend_t find_linear(atl_backend_t wanted, atl_dtype_t dtype) {
  atl_backend_t backend = wanted == ATL_BACKEND_AUTO ? fastest_own() : wanted;
  while (!has_linear(backend, dtype)) backend = registry[backend].delegate;
  return backend;
}

static atl_backend_t find_attention(atl_backend_t wanted) {
  atl_backend_t backend = wanted == ATL_BACKEND_AUTO ? fastest_own() : wanted;
  while (!has_attention(backend)) backend = registry[backend].delegate;
  return backend;
}

/* AUTO selects libraries for convolutions: they are fast, and each picture is computed alone. Returns AUTO when no
 * backend has convolutions of its own. */
static atl_backend_t find_conv(atl_backend_t wanted, atl_dtype_t dtype) {
  if (wanted != ATL_BACKEND_AUTO) return has_conv(wanted, dtype) ? wanted : ATL_BACKEND_AUTO;
  for (int b = ATL_N_BACKENDS - 1; b > ATL_BACKEND_AUTO; b--)
    if (has_conv((atl_backend_t)b, dtype)) return (atl_backend_t)b;
  return ATL_BACKEND_AUTO;
}

const atl_linear_ops_t *atl_backend_linear(atl_backend_t wanted, atl_dtype_t dtype) {
  return linear_of(find_linear(wanted, dtype), dtype);
}

const atl_attention_ops_t *atl_backend_attention(atl_backend_t wanted) { return attention_of(find_attention(wanted)); }

const atl_conv_ops_t *atl_backend_conv(atl_backend_t wanted, atl_dtype_t dtype) {
  return registry[find_conv(wanted, dtype)].conv;
}

atl_backend_t atl_backend_choose(atl_backend_t wanted, atl_dtype_t dtype) {
  return wanted == ATL_BACKEND_AUTO ? find_linear(wanted, dtype) : wanted;
}

bool atl_backend_is_available(atl_backend_t backend, atl_dtype_t dtype) {
  if (dtype != ATL_F32 && dtype != ATL_BF16) return false;
  return backend == ATL_BACKEND_AUTO || has_linear(backend, dtype);
}

bool atl_backend_is_library(atl_backend_t backend) { return registry[backend].is_library; }
bool atl_backend_has_independent_rows(atl_backend_t backend) { return !registry[backend].has_dependent_rows; }

/* ---- names and descriptions ---- */

const char *atl_backend_name(atl_backend_t backend) {
  return backend < ATL_N_BACKENDS ? backend_names[backend] : "unknown";
}

atl_status_t atl_backend_find(const char *name, atl_backend_t *backend) {
  for (int b = 0; b < ATL_N_BACKENDS; b++)
    if (strcmp(backend_names[b], name) == 0) {
      *backend = (atl_backend_t)b;
      return ATL_OK;
    }
  return ATL_FAIL(USAGE, "unknown backend '%s'; try one of " ATL_BACKEND_NAMES, name);
}

/* A line under construction; what does not fit is cut off. */
typedef struct {
  char *text;
  size_t n, room;
} line_t;

static void add(line_t *line, const char *before, const char *word) {
  int n = snprintf(line->text + line->n, line->room - line->n, "%s%s", before, word);
  line->n = line->n + (size_t)n < line->room ? line->n + (size_t)n : line->room - 1;
}

static void add_availability(line_t *line, atl_backend_t backend) {
  const atl_linear_ops_t *f32 = linear_of(backend, ATL_F32), *bf16 = linear_of(backend, ATL_BF16);
  const atl_linear_ops_t *first = f32 != NULL ? f32 : bf16;
  if (first == NULL) {
    add(line, ": ", "not in this build");
    return;
  }
  if (first->lacks() != NULL)
    add(line, ": built, this CPU lacks ", first->lacks());
  else
    add(line, ": built, ", "this CPU has it");
  if (first == f32 && bf16 != NULL && f32->lacks() == NULL && bf16->lacks() != NULL)
    add(line, ", for bf16 it lacks ", bf16->lacks());
}

/* Lists the operations for which AUTO selects this backend here. */
static void add_choices(line_t *line, atl_backend_t backend) {
  const struct {
    const char *what;
    atl_backend_t chosen;
  } choices[] = {{"f32 linear layers", find_linear(ATL_BACKEND_AUTO, ATL_F32)},
                 {"bf16 linear layers", find_linear(ATL_BACKEND_AUTO, ATL_BF16)},
                 {"attention", find_attention(ATL_BACKEND_AUTO)},
                 {"f32 convolutions", find_conv(ATL_BACKEND_AUTO, ATL_F32)},
                 {"bf16 convolutions", find_conv(ATL_BACKEND_AUTO, ATL_BF16)}};
  const char *before = "; auto selects it for ";
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    if (choices[i].chosen != backend) continue;
    add(line, before, choices[i].what);
    before = ", ";
  }
}

const char *atl_backend_explain(atl_backend_t backend, char *text, size_t text_bytes) {
  const atl_backend_row_t *row = &registry[backend];
  line_t line = {text, 0, text_bytes};
  char version[64];
  add(&line, "", atl_backend_name(backend));
  add_availability(&line, backend);
  if (row->describe != NULL) add(&line, ", ", row->describe(version, sizeof version));
  add_choices(&line, backend);
  if (row->has_dependent_rows)
    add(&line, "; ", "in its linear layers a row's last bits may depend on its position in the batch");
  return text;
}

static void add_linear(line_t *line, atl_backend_t backend, atl_dtype_t dtype) {
  const atl_backend_row_t *row = &registry[backend];
  char version[64];
  add(line, "linear ", atl_dtype_name(dtype));
  if (row->describe != NULL)
    add(line, " ", row->describe(version, sizeof version));
  else
    add(line, " ", dtype == ATL_BF16 ? row->bits_bf16 : row->bits_f32);
}

/* The dVAE and CLIP always use AUTO, whatever the transformer uses: the dVAE in fp32, CLIP in the run's dtype. */
static void add_conv(line_t *line, atl_backend_t wanted, atl_dtype_t dtype) {
  atl_backend_t backend = find_conv(wanted, dtype);
  char version[64];
  add(line, ", convolution ", atl_dtype_name(dtype));
  if (backend == ATL_BACKEND_AUTO)
    add(line, " ", "by linear");
  else
    add(line, " ", registry[backend].describe(version, sizeof version));
}

const char *atl_backend_describe(atl_backend_t backend, atl_dtype_t dtype, char *text, size_t text_bytes) {
  line_t line = {text, 0, text_bytes};
  add_linear(&line, find_linear(backend, dtype), dtype);
  add(&line, ", ", "attention fma");
  add_conv(&line, ATL_BACKEND_AUTO, ATL_F32);
  if (dtype != ATL_F32) add_conv(&line, ATL_BACKEND_AUTO, dtype);
  return text;
}
