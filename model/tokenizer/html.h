/* Html: character references of HTML 5 (&amp; &#233; &#xE9;) turned into characters, as Python's html.unescape does. */
#ifndef ATL_MODEL_TOKENIZER_HTML_H
#define ATL_MODEL_TOKENIZER_HTML_H

#include <stdbool.h>

#include "model/tokenizer/text.h"

/* Appends n bytes with their references resolved, once. `whole_only`: only references that end in ';' count, and only
 * whole names; otherwise HTML's leniency holds ("&ampx" is "&x"). MEMORY. */
atl_status_t atl_html_unescape(const char *bytes, size_t n, bool whole_only, atl_text_t *out);

/* The table in html_entities.c, ordered by name. Names keep the ';' they end in. */
typedef struct {
  const char *name, *text;
} atl_html_entity_t;
extern const atl_html_entity_t atl_html_entities[];
extern const size_t atl_html_n_entities;

#endif
