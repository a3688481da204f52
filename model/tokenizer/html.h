/* Html: resolves the character references of HTML 5 (&amp; &#233; &#xE9;) as Python's html.unescape does. */
#ifndef ATL_MODEL_TOKENIZER_HTML_H
#define ATL_MODEL_TOKENIZER_HTML_H

#include <stdbool.h>

#include "model/tokenizer/text.h"

/* Appends n bytes of valid UTF-8 with their references resolved, once. `whole_only`: a reference must end in ';' and
 * have a known name; otherwise HTML's lenient rules apply ("&ampx" becomes "&x"). MEMORY. */
atl_status_t atl_html_unescape(const char *bytes, size_t n, bool whole_only, atl_text_t *out);

/* The table in html_entities.c, sorted by name. Names include their final ';'. */
typedef struct {
  const char *name, *text;
} atl_html_entity_t;
extern const atl_html_entity_t atl_html_entities[];
extern const size_t atl_html_n_entities;

#endif
