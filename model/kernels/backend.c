#include "model/kernels/backend.h"

#include <stdio.h>
#include <string.h>

#include "model/kernels/attention/attention_private.h"
#include "model/kernels/backend_private.h"
#include "model/kernels/conv/conv_private.h"
#include "model/kernels/linear/linear_private.h"

static const char *const the_names[ATL_N_BACKENDS] = {"auto",
#define X(id, name) name,
                                                      ATL_BACKENDS(X)
#undef X
};

/* fp32 sums of own kernels are one chain of fused multiply-adds in order of i whatever the vector width, and so are bf16
 * sums where no instruction adds pairs. Attention's bits are the same on every CPU. */
static const atl_backend_row_t the_rows[ATL_N_BACKENDS] = {
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
  const atl_backend_row_t *row = &the_rows[backend];
  const atl_linear_ops_t *ops = dtype == ATL_BF16 ? row->linear_bf16 : row->linear_f32;
  bool is_built = ops != NULL && (ops->tile != NULL || ops->run != NULL);
  return is_built ? ops : NULL;
}

static const atl_attention_ops_t *attention_of(atl_backend_t backend) {
  const atl_attention_ops_t *ops = the_rows[backend].attention;
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
  const atl_conv_ops_t *ops = the_rows[backend].conv;
  return ops != NULL && ops->lacks(dtype) == NULL;
}

/* ---- which one runs ---- */

/* The fastest own backend; delegation leads on from there to the fastest that has an operation. */
static atl_backend_t fastest_own(void) {
  atl_backend_t fastest = ATL_BACKEND_PLAIN;
  for (int b = ATL_BACKEND_PLAIN; b < ATL_N_BACKENDS; b++)
    if (!the_rows[b].is_library) fastest = (atl_backend_t)b;
  return fastest;
}

static atl_backend_t find_linear(atl_backend_t wanted, atl_dtype_t dtype) {
  atl_backend_t backend = wanted == ATL_BACKEND_AUTO ? fastest_own() : wanted;
  while (!has_linear(backend, dtype)) backend = the_rows[backend].delegate;
  return backend;
}

static atl_backend_t find_attention(atl_backend_t wanted) {
  atl_backend_t backend = wanted == ATL_BACKEND_AUTO ? fastest_own() : wanted;
  while (!has_attention(backend)) backend = the_rows[backend].delegate;
  return backend;
}

/* Libraries are fast at convolutions, and take one picture at a time, so AUTO has them there. AUTO: no such operation. */
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
  return the_rows[find_conv(wanted, dtype)].conv;
}

atl_backend_t atl_backend_choose(atl_backend_t wanted, atl_dtype_t dtype) {
  return wanted == ATL_BACKEND_AUTO ? find_linear(wanted, dtype) : wanted;
}

bool atl_backend_is_available(atl_backend_t backend, atl_dtype_t dtype) {
  if (dtype != ATL_F32 && dtype != ATL_BF16) return false;
  return backend == ATL_BACKEND_AUTO || has_linear(backend, dtype);
}

bool atl_backend_is_library(atl_backend_t backend) { return the_rows[backend].is_library; }
bool atl_backend_has_independent_rows(atl_backend_t backend) { return !the_rows[backend].has_dependent_rows; }

/* ---- names and words ---- */

const char *atl_backend_name(atl_backend_t backend) {
  return backend < ATL_N_BACKENDS ? the_names[backend] : "unknown";
}

atl_status_t atl_backend_find(const char *name, atl_backend_t *backend) {
  for (int b = 0; b < ATL_N_BACKENDS; b++)
    if (strcmp(the_names[b], name) == 0) {
      *backend = (atl_backend_t)b;
      return ATL_OK;
    }
  return ATL_FAIL(USAGE, "there is no backend '%s'; known are " ATL_BACKEND_NAMES, name);
}

/* A text that grows at its end and is cut where there is no more room. */
typedef struct {
  char *text;
  size_t n, room;
} words_t;

static void add(words_t *words, const char *before, const char *word) {
  int n = snprintf(words->text + words->n, words->room - words->n, "%s%s", before, word);
  words->n = words->n + (size_t)n < words->room ? words->n + (size_t)n : words->room - 1;
}

static void add_availability(words_t *words, atl_backend_t backend) {
  const atl_linear_ops_t *f32 = linear_of(backend, ATL_F32), *bf16 = linear_of(backend, ATL_BF16);
  const atl_linear_ops_t *first = f32 != NULL ? f32 : bf16;
  if (first == NULL) {
    add(words, ": ", "not in this build");
    return;
  }
  if (first->lacks() != NULL)
    add(words, ": built, this CPU lacks ", first->lacks());
  else
    add(words, ": built, ", "this CPU has it");
  if (first == f32 && bf16 != NULL && f32->lacks() == NULL && bf16->lacks() != NULL)
    add(words, ", for bf16 it lacks ", bf16->lacks());
}

/* What AUTO comes to here. */
static void add_choices(words_t *words, atl_backend_t backend) {
  const struct {
    const char *what;
    atl_backend_t chosen;
  } choices[] = {{"f32 linear layers", find_linear(ATL_BACKEND_AUTO, ATL_F32)},
                 {"bf16 linear layers", find_linear(ATL_BACKEND_AUTO, ATL_BF16)},
                 {"attention", find_attention(ATL_BACKEND_AUTO)},
                 {"f32 convolutions", find_conv(ATL_BACKEND_AUTO, ATL_F32)},
                 {"bf16 convolutions", find_conv(ATL_BACKEND_AUTO, ATL_BF16)}};
  const char *before = "; auto takes it for ";
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    if (choices[i].chosen != backend) continue;
    add(words, before, choices[i].what);
    before = ", ";
  }
}

const char *atl_backend_explain(atl_backend_t backend, char *text, size_t text_bytes) {
  const atl_backend_row_t *row = &the_rows[backend];
  words_t words = {text, 0, text_bytes};
  char version[64];
  add(&words, "", atl_backend_name(backend));
  add_availability(&words, backend);
  if (row->describe != NULL) add(&words, ", ", row->describe(version, sizeof version));
  add_choices(&words, backend);
  if (row->has_dependent_rows)
    add(&words, "; ", "in its linear layers a row's last bits may depend on its place in the batch");
  return text;
}

static void add_linear(words_t *words, atl_backend_t backend, atl_dtype_t dtype) {
  const atl_backend_row_t *row = &the_rows[backend];
  char version[64];
  add(words, "linear ", atl_dtype_name(dtype));
  if (row->describe != NULL)
    add(words, " ", row->describe(version, sizeof version));
  else
    add(words, " ", dtype == ATL_BF16 ? row->bits_bf16 : row->bits_f32);
}

/* The dVAE and CLIP take AUTO whatever the transformer takes; the dVAE in fp32, CLIP in the run's dtype. */
static void add_conv(words_t *words, atl_backend_t wanted, atl_dtype_t dtype) {
  atl_backend_t backend = find_conv(wanted, dtype);
  char version[64];
  add(words, ", convolution ", atl_dtype_name(dtype));
  if (backend == ATL_BACKEND_AUTO)
    add(words, " ", "by linear");
  else
    add(words, " ", the_rows[backend].describe(version, sizeof version));
}

const char *atl_backend_describe(atl_backend_t backend, atl_dtype_t dtype, char *text, size_t text_bytes) {
  words_t words = {text, 0, text_bytes};
  add_linear(&words, find_linear(backend, dtype), dtype);
  add(&words, ", ", "attention fma");
  add_conv(&words, ATL_BACKEND_AUTO, ATL_F32);
  if (dtype != ATL_F32) add_conv(&words, ATL_BACKEND_AUTO, dtype);
  return text;
}
