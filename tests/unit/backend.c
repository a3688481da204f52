// TEST np=1
/* The registry of backends: every row has a name, says what this CPU lacks for it, and leads to operations that run;
 * `auto` keeps every promise. */
#include "model/kernels/backend.h"

#include "model/kernels/attention/attention_private.h"
#include "model/kernels/conv/conv_private.h"
#include "model/kernels/linear/linear_private.h"
#include "tests/support/tap.h"

static const atl_dtype_t dtypes[] = {ATL_F32, ATL_BF16};

static void test_names(void) {
  atl_backend_t found;
  bool is_round_trip = true;
  for (int b = 0; b < ATL_N_BACKENDS; b++)
    if (atl_backend_find(atl_backend_name((atl_backend_t)b), &found) != ATL_OK || found != (atl_backend_t)b)
      is_round_trip = false;
  TAP_OK(is_round_trip, "each backend's name leads back to it");
  TAP_STATUS(ATL_USAGE, atl_backend_find("gpu", &found), "an unknown backend is refused");
  TAP_OK(strstr(atl_status_message(), "auto, plain") != NULL && strstr(atl_status_message(), "onednn") != NULL,
         "the refusal of an unknown backend lists the known ones");
}

/* Whichever backend is asked for, delegation ends at operations that this build has and this CPU can run. */
static void test_operations(atl_backend_t backend) {
  char name[128];
  for (int i = 0; i < 2; i++) {
    const atl_linear_ops_t *linear = atl_backend_linear(backend, dtypes[i]);
    const atl_conv_ops_t *conv = atl_backend_conv(backend, dtypes[i]);
    snprintf(name, sizeof name, "%s %s: delegation ends at operations that run here", atl_backend_name(backend),
             atl_dtype_name(dtypes[i]));
    TAP_OK(linear != NULL && (linear->tile != NULL) != (linear->run != NULL) && linear->lacks() == NULL &&
               (conv == NULL || conv->lacks(dtypes[i]) == NULL),
           name);
    snprintf(name, sizeof name, "%s %s: a tile has its number of rows, a library all its calls",
             atl_backend_name(backend), atl_dtype_name(dtypes[i]));
    TAP_OK(linear->tile != NULL ? linear->group_rows > 0 && linear->group_rows <= CHUNK_ROWS
                                : linear->init != NULL && linear->clear != NULL,
           name);
  }
  const atl_attention_ops_t *attention = atl_backend_attention(backend);
  snprintf(name, sizeof name, "%s: delegation of attention ends at kernels that run here", atl_backend_name(backend));
  TAP_OK(attention->lacks() == NULL && attention->kernels(ATL_F32).scores != NULL, name);
}

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

/* "amx: built, this CPU lacks amx_tile": the line agrees with what is available. */
static void test_line(atl_backend_t backend) {
  char text[256], start[32], name[128];
  bool is_here = atl_backend_is_available(backend, ATL_F32) || atl_backend_is_available(backend, ATL_BF16);
  atl_backend_explain(backend, text, sizeof text);
  printf("# %s\n", text);
  snprintf(start, sizeof start, "%s: ", atl_backend_name(backend));
  snprintf(name, sizeof name, "%s: its line says whether this CPU has it", atl_backend_name(backend));
  TAP_OK(starts_with(text, start) && (strstr(text, "this CPU has it") != NULL) == is_here &&
             (is_here || strstr(text, "this CPU lacks ") != NULL || strstr(text, "not in this build") != NULL),
         name);
  snprintf(name, sizeof name, "%s: its line says for what auto selects it", atl_backend_name(backend));
  TAP_OK((strstr(text, "f32 linear layers") != NULL) == (atl_backend_choose(ATL_BACKEND_AUTO, ATL_F32) == backend) &&
             (strstr(text, "bf16 linear layers") != NULL) ==
                 (atl_backend_choose(ATL_BACKEND_AUTO, ATL_BF16) == backend),
         name);
  char cut[8];
  atl_backend_explain(backend, cut, sizeof cut);
  snprintf(name, sizeof name, "%s: its line is cut to the buffer", atl_backend_name(backend));
  TAP_OK(strlen(cut) == sizeof cut - 1 && starts_with(text, cut), name);
}

static void test_auto(void) {
  bool is_own = true, keeps_rows = true;
  for (int i = 0; i < 2; i++) {
    atl_backend_t chosen = atl_backend_choose(ATL_BACKEND_AUTO, dtypes[i]);
    is_own &= !atl_backend_is_library(chosen) && atl_backend_is_available(chosen, dtypes[i]);
    keeps_rows &= atl_backend_has_independent_rows(chosen);
  }
  TAP_OK(is_own, "auto selects own kernels that this CPU has for linear layers");
  TAP_OK(keeps_rows && atl_backend_has_independent_rows(ATL_BACKEND_AUTO), "auto keeps rows independent");
  for (int b = ATL_BACKEND_AUTO; b < ATL_N_BACKENDS; b++)
    if (!atl_backend_is_library((atl_backend_t)b) && !atl_backend_has_independent_rows((atl_backend_t)b))
      TAP_OK(false, "every own backend keeps rows independent");
}

/* Own fp32 kernels have the same bits, so their texts are equal; a library's text names it. */
static void test_description(void) {
  char plain[256], other[256];
  atl_backend_describe(ATL_BACKEND_PLAIN, ATL_F32, plain, sizeof plain);
  atl_backend_describe(ATL_BACKEND_AUTO, ATL_F32, other, sizeof other);
  printf("# %s\n", other);
  TAP_OK(strcmp(plain, other) == 0, "own fp32 kernels have equal texts");
  TAP_OK(strstr(other, "oneDNN ") != NULL, "the text names oneDNN and its instruction set");
  atl_backend_describe(ATL_BACKEND_OPENBLAS, ATL_F32, other, sizeof other);
  TAP_OK(strstr(other, "OpenBLAS ") != NULL && strcmp(plain, other) != 0, "a library's text names it");
  atl_backend_describe(ATL_BACKEND_AUTO, ATL_BF16, other, sizeof other);
  TAP_OK(strcmp(plain, other) != 0, "bf16 and fp32 have different texts");
}

int main(void) {
  test_names();
  for (int b = ATL_BACKEND_AUTO; b < ATL_N_BACKENDS; b++) test_operations((atl_backend_t)b);
  for (int b = ATL_BACKEND_AUTO + 1; b < ATL_N_BACKENDS; b++) test_line((atl_backend_t)b);
  test_auto();
  test_description();
  return tap_done();
}
