// TEST np=1
/* Words of the command line that say what a job computes in and how it is laid out. */
#include "coordinator/job/compute.h"

#include "coordinator/plan/layout_options.h"
#include "tests/support/tap.h"

static void test_words(void) {
  atl_compute_t c;
  TAP_STATUS(ATL_OK, atl_compute_parse(&(atl_compute_words_t){"bf16", "auto", "plain"}, &c), "bf16, auto, plain");
  TAP_OK(c.dtype == ATL_BF16 && c.kv == ATL_BF16 && c.backend == ATL_BACKEND_PLAIN, "auto is the cache of the weights");
  TAP_STATUS(ATL_OK, atl_compute_parse(&(atl_compute_words_t){"F32", "int8", "auto"}, &c), "F32, int8, auto");
  TAP_OK(c.dtype == ATL_F32 && c.kv == ATL_I8 && c.backend == ATL_BACKEND_AUTO, "words are read in any case");
  TAP_STATUS(ATL_USAGE, atl_compute_parse(&(atl_compute_words_t){"f16", "auto", "auto"}, &c),
             "f16 weights are refused");
  TAP_OK(strstr(atl_status_message(), "--dtype f16") != NULL, "the refusal of weights names --dtype");
  TAP_STATUS(ATL_USAGE, atl_compute_parse(&(atl_compute_words_t){"f32", "f16", "auto"}, &c), "an f16 cache is refused");
  TAP_OK(strstr(atl_status_message(), "--kv f16") != NULL, "the refusal of a cache names --kv");
  TAP_STATUS(ATL_USAGE, atl_compute_parse(&(atl_compute_words_t){"f32", "auto", "fast"}, &c), "no kernels are 'fast'");
  TAP_OK(strcmp(atl_compute_dtype_word(ATL_I8), "int8") == 0 && strcmp(atl_compute_dtype_word(ATL_BF16), "bf16") == 0 &&
             strcmp(atl_compute_dtype_word(ATL_F32), "f32") == 0,
         "dtypes have the words that the options take");
}

static void test_layout(void) {
  TAP_STATUS(ATL_OK, atl_layout_options_check(&(atl_layout_options_t){.stages = 2}, NULL), "two stages");
  TAP_STATUS(ATL_OK, atl_layout_options_check(&(atl_layout_options_t){0}, "plan.json"), "a plan alone");
  TAP_STATUS(ATL_USAGE, atl_layout_options_check(&(atl_layout_options_t){.slots = 2}, "plan.json"),
             "a plan and slots contradict one another");
  TAP_STATUS(ATL_USAGE, atl_layout_options_check(&(atl_layout_options_t){.decoders = -1}, NULL),
             "a negative count of decoders is refused");
  TAP_STATUS(ATL_USAGE, atl_layout_options_check(&(atl_layout_options_t){.microbatch = (int64_t)1 << 31}, NULL),
             "a microbatch above int32 is refused");
  TAP_OK(strstr(atl_status_message(), "--microbatch 2147483648") != NULL, "the refusal of a count names its option");
}

int main(void) {
  test_words();
  test_layout();
  return tap_done();
}
