#include "model/tokenizer/split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/memory.h"

/* PCRE2's defaults are 20 GB of heap per match and patterns of any length. Tokenizer patterns need a few KB and a few
 * steps per character; texts have at most 1 MiB (hf_steps.c). */
enum { MAX_PATTERN_BYTES = 1 << 16, MAX_HEAP_KIB = 32 << 10, MAX_STEPS = 4 << 20, MAX_DEPTH = 1 << 20 };

struct atl_split {
  pcre2_code *code;
  pcre2_match_data *match;
  pcre2_match_context *limits;
};

static pcre2_code *compile(const char *pattern, bool ignore_case, int *error, PCRE2_SIZE *offset) {
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | (ignore_case ? PCRE2_CASELESS : 0);
  pcre2_compile_context *context = pcre2_compile_context_create(NULL);
  *error = PCRE2_ERROR_NOMEMORY;
  if (context == NULL) return NULL;
  pcre2_set_max_pattern_length(context, MAX_PATTERN_BYTES);
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, error, offset, context);
  pcre2_compile_context_free(context);
  return code;
}

static pcre2_match_context *make_limits(void) {
  pcre2_match_context *limits = pcre2_match_context_create(NULL);
  if (limits == NULL) return NULL;
  pcre2_set_heap_limit(limits, MAX_HEAP_KIB);
  pcre2_set_match_limit(limits, MAX_STEPS);
  pcre2_set_depth_limit(limits, MAX_DEPTH);
  return limits;
}

atl_status_t atl_split_new(const char *pattern, bool ignore_case, const char *where, atl_split_t **split) {
  atl_split_t *s;
  ATL_TRY(ATL_NEW(1, &s));
  int error;
  PCRE2_SIZE offset = 0;
  s->code = compile(pattern, ignore_case, &error, &offset);
  if (s->code != NULL) s->match = pcre2_match_data_create_from_pattern(s->code, NULL);
  s->limits = make_limits();
  *split = s;
  if (s->match != NULL && s->limits != NULL) return ATL_OK;
  bool is_compiled = s->code != NULL;
  atl_split_destroy(split);
  ATL_CHECK(!is_compiled, MEMORY, "%s: no memory to match a pattern with", where);
  PCRE2_UCHAR message[128];
  pcre2_get_error_message(error, message, sizeof message);
  return ATL_FAIL(INPUT, "%s: expected a regular expression, found '%.200s' (%s at byte %zu)", where, pattern,
                  (const char *)message, (size_t)offset);
}

void atl_split_destroy(atl_split_t **split) {
  if (*split == NULL) return;
  pcre2_match_data_free((*split)->match);
  pcre2_match_context_free((*split)->limits);
  pcre2_code_free((*split)->code);
  ATL_DESTROY(split);
}

atl_status_t atl_split_next(const atl_split_t *split, const char *text, size_t n, size_t *start, size_t *end,
                            bool *is_found) {
  /* The text is known to be valid UTF-8; validating it again for each match would take quadratic time. */
  int found = pcre2_match(split->code, (PCRE2_SPTR)text, n, *end, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, split->match,
                          split->limits);
  *is_found = found > 0;
  if (found == PCRE2_ERROR_NOMATCH) return ATL_OK;
  ATL_CHECK(
      found > 0, INPUT,
      "the tokenizer's pattern takes too long or too much memory on this text (PCRE2 error %d); try a shorter one",
      found);
  const PCRE2_SIZE *range = pcre2_get_ovector_pointer(split->match);
  *start = range[0];
  *end = range[1];
  ATL_CHECK(*start < *end, INPUT, "the tokenizer's pattern matches backwards (\\K in a look-around)");
  return ATL_OK;
}
