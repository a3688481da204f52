/* Split: a regular expression (PCRE2, Unicode properties) walked over a text. */
#ifndef ATL_MODEL_TOKENIZER_SPLIT_H
#define ATL_MODEL_TOKENIZER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

typedef struct atl_split atl_split_t;

/* `where` names the pattern's file in messages, and need not outlive the call. INPUT when the pattern does not compile.
 * Caller owns. */
atl_status_t atl_split_new(const char *pattern, bool ignore_case, const char *where, atl_split_t **split);
void atl_split_destroy(atl_split_t **split);

/* The first match at or after *end in n bytes of valid UTF-8: [*start, *end). Empty matches are passed over.
 * *is_found = false at the end. INPUT when the pattern backtracks beyond PCRE2's limit. */
atl_status_t atl_split_next(const atl_split_t *split, const char *text, size_t n, size_t *start, size_t *end,
                            bool *is_found);

#endif
