/* Split: finds the matches of a regular expression (PCRE2 with Unicode properties) in a text, one after the other.
 *
 *     size_t start, end = 0;
 *     for (bool is_found = true;;) {
 *       ATL_TRY(atl_split_next(split, text, n, &start, &end, &is_found));
 *       if (!is_found) break;
 *     }
 */
#ifndef ATL_MODEL_TOKENIZER_SPLIT_H
#define ATL_MODEL_TOKENIZER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/status.h"

typedef struct atl_split atl_split_t;

/* `where` names the pattern's file in messages. INPUT when the pattern does not compile; MEMORY. Borrows during the
 * call; caller owns *split. */
atl_status_t atl_split_new(const char *pattern, bool ignore_case, const char *where, atl_split_t **split);
void atl_split_destroy(atl_split_t **split);

/* Finds the first non-empty match at or after *end in n bytes of valid UTF-8: [*start, *end). *is_found is false if
 * there is none. INPUT when matching exceeds the limits on steps or memory. */
atl_status_t atl_split_next(const atl_split_t *split, const char *text, size_t n, size_t *start, size_t *end,
                            bool *is_found);

#endif
