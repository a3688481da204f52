/* Like ftfy, fixes each line repeatedly until nothing changes, but at most MAX_ROUNDS times. */
#include "model/tokenizer/clean.h"

#include <string.h>

#include "model/tokenizer/html.h"
#include "model/tokenizer/unicode.h"

enum { MAX_ROUNDS = 16, ESCAPE = 0x1B };

static bool is_control(uint32_t c) {
  return c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || (c >= 0x206A && c <= 0x206F) ||
         c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

/* Latin ligatures and digraphs encoded as one character, and full-width and half-width forms. */
static bool is_spelled_out(uint32_t c) {
  return c == 0x132 || c == 0x133 || c == 0x149 || (c >= 0x1C4 && c <= 0x1CC) || (c >= 0x1F1 && c <= 0x1F3) ||
         (c >= 0xFB00 && c <= 0xFB06) || c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF);
}

static uint32_t uncurl(uint32_t c) {
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) return '\'';
  return c >= 0x201C && c <= 0x201F ? '"' : c;
}

/* The length of a terminal escape sequence ("ESC [ 1 ; 31 m") at s; 0 if there is none. */
static size_t escape_bytes(const char *s, size_t n) {
  if (n < 3 || s[0] != ESCAPE || s[1] != '[') return 0;
  size_t i = 2;
  while (i < n && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';')) i++;
  return i < n && ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z')) ? i + 1 : 0;
}

/* Appends a character: ligatures and other widths are decomposed (NFKC), quotes become straight. */
static atl_status_t append_mended(const char *bytes, size_t n, uint32_t code, atl_text_t *out) {
  static const char long_s_t[] = "\xC5\xBFt"; /* U+FB05 keeps its long s */
  if (code == 0xFB05) return atl_text_append(out, long_s_t, sizeof long_s_t - 1);
  if (!is_spelled_out(code)) return atl_text_append_code(out, uncurl(code));
  atl_text_t spelled = {0};
  atl_status_t status = atl_unicode_normalize(bytes, n, ATL_UNICODE_NFKC, &spelled);
  for (size_t i = 0; status == ATL_OK && i < spelled.n;)
    status = atl_text_append_code(out, uncurl(atl_text_read(spelled.bytes, spelled.n, &i)));
  atl_text_clear(&spelled);
  return status;
}

static atl_status_t mend_characters(const atl_text_t *in, atl_text_t *out) {
  for (size_t i = 0; i < in->n;) {
    size_t start = i, n_escape = escape_bytes(in->bytes + i, in->n - i);
    if (n_escape > 0) {
      i += n_escape;
      continue;
    }
    uint32_t code = atl_unicode_from_windows_1252(atl_text_read(in->bytes, in->n, &i));
    if (!is_control(code)) ATL_TRY(append_mended(in->bytes + start, i - start, code, out));
  }
  return ATL_OK;
}

/* One round over a line: line -> a -> b -> a -> line. *is_changed: the line is not what it was. */
static atl_status_t mend_once(atl_text_t *line, bool unescape, atl_text_t *a, atl_text_t *b, bool *is_changed) {
  ATL_TRY(atl_text_reset(a));
  ATL_TRY(atl_text_reset(b));
  if (unescape)
    ATL_TRY(atl_html_unescape(line->bytes, line->n, true, a));
  else
    ATL_TRY(atl_text_append(a, line->bytes, line->n));
  ATL_TRY(mend_characters(a, b));
  ATL_TRY(atl_text_reset(a));
  ATL_TRY(atl_unicode_normalize(b->bytes, b->n, ATL_UNICODE_NFC, a));
  *is_changed = a->n != line->n || memcmp(a->bytes, line->bytes, a->n) != 0;
  ATL_TRY(atl_text_reset(line));
  return atl_text_append(line, a->bytes, a->n);
}

typedef struct {
  atl_text_t line, a, b;
} scratch_t;

/* References are resolved up to the first line with a '<'; from there on the text is taken for intentional HTML. */
static atl_status_t mend(const char *bytes, size_t n, scratch_t *s, atl_text_t *out) {
  bool unescape = true;
  for (size_t i = 0; i < n;) {
    const char *newline = memchr(bytes + i, '\n', n - i);
    size_t end = newline ? (size_t)(newline - bytes) + 1 : n;
    if (memchr(bytes + i, '<', end - i)) unescape = false;
    ATL_TRY(atl_text_reset(&s->line));
    ATL_TRY(atl_text_append(&s->line, bytes + i, end - i));
    bool is_changed = true;
    for (int round = 0; round < MAX_ROUNDS && is_changed; round++)
      ATL_TRY(mend_once(&s->line, unescape, &s->a, &s->b, &is_changed));
    ATL_TRY(atl_text_append(out, s->line.bytes, s->line.n));
    i = end;
  }
  return ATL_OK;
}

/* Each run of white space becomes one space; runs at the ends are dropped. */
static atl_status_t collapse(const atl_text_t *in, atl_text_t *out) {
  bool is_pending = false;
  for (size_t i = 0; i < in->n;) {
    uint32_t code = atl_text_read(in->bytes, in->n, &i);
    if (atl_unicode_is_space(code)) {
      is_pending = out->n > 0;
      continue;
    }
    if (is_pending) ATL_TRY(atl_text_append(out, " ", 1));
    is_pending = false;
    ATL_TRY(atl_text_append_code(out, code));
  }
  return ATL_OK;
}

static atl_status_t clean(const char *bytes, size_t n, scratch_t *s, atl_text_t *out) {
  atl_text_t mended = {0};
  atl_status_t status = atl_text_reset(&mended);
  if (status == ATL_OK) status = mend(bytes, n, s, &mended);
  if (status == ATL_OK) status = atl_text_reset(&s->a);
  if (status == ATL_OK) status = atl_text_reset(&s->b);
  if (status == ATL_OK) status = atl_html_unescape(mended.bytes, mended.n, false, &s->a);
  if (status == ATL_OK) status = atl_html_unescape(s->a.bytes, s->a.n, false, &s->b);
  atl_text_clear(&mended);
  ATL_TRY(status);
  ATL_TRY(atl_text_reset(&s->a));
  ATL_TRY(collapse(&s->b, &s->a));
  return atl_unicode_lower(s->a.bytes, s->a.n, true, out);
}

atl_status_t atl_clean_text(const char *bytes, size_t n, atl_text_t *out) {
  scratch_t scratch = {0};
  atl_status_t status = clean(bytes, n, &scratch, out);
  atl_text_clear(&scratch.line);
  atl_text_clear(&scratch.a);
  atl_text_clear(&scratch.b);
  return status;
}
