/* Well-formed sequences are those of table 3-7 of the Unicode standard: no overlong forms, no surrogates, at most
 * U+10FFFF. */
#include "model/tokenizer/text.h"

#include <stdbool.h>
#include <string.h>

#include "common/memory.h"
#include "common/utf8.h"

void atl_text_clear(atl_text_t *text) {
  ATL_DESTROY(&text->bytes);
  *text = (atl_text_t){0};
}

static atl_status_t reserve(atl_text_t *text, size_t n) {
  size_t needed;
  ATL_CHECK(!__builtin_add_overflow(text->n, n, &needed) && needed < SIZE_MAX / 4, MEMORY, "text of %zu bytes", n);
  if (needed < text->capacity) return ATL_OK;
  size_t capacity = needed * 2 < 64 ? 64 : needed * 2;
  ATL_TRY(ATL_RESIZE(capacity, &text->bytes));
  text->capacity = capacity;
  return ATL_OK;
}

atl_status_t atl_text_append(atl_text_t *text, const char *bytes, size_t n) {
  ATL_TRY(reserve(text, n));
  if (n > 0) memcpy(text->bytes + text->n, bytes, n);
  text->n += n;
  text->bytes[text->n] = 0;
  return ATL_OK;
}

atl_status_t atl_text_append_code(atl_text_t *text, uint32_t code) {
  char b[4];
  size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n - 1; i > 0; i--, code >>= 6) b[i] = (char)(0x80 | (code & 0x3F));
  b[0] = (char)(lead[n] | code);
  return atl_text_append(text, b, n);
}

atl_status_t atl_text_reset(atl_text_t *text) {
  text->n = 0;
  return atl_text_append(text, "", 0);
}

/* Length of the longest prefix of the n > 0 bytes at b that begins a well-formed sequence, at least 1; *is_whole: it is
 * a complete sequence. */
static size_t sequence(const unsigned char *b, size_t n, bool *is_whole) {
  size_t length = b[0] < 0x80 ? 1 : b[0] < 0xC2 ? 0 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : b[0] < 0xF5 ? 4 : 0;
  unsigned low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
  unsigned high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
  size_t i = 1;
  for (; i < length && i < n && b[i] >= low && b[i] <= high; i++) low = 0x80, high = 0xBF;
  *is_whole = i == length;
  return i;
}

atl_status_t atl_text_append_lossy(atl_text_t *text, const char *bytes, size_t n) {
  for (size_t i = 0; i < n;) {
    bool is_whole;
    size_t length = sequence((const unsigned char *)bytes + i, n - i, &is_whole);
    if (is_whole)
      ATL_TRY(atl_text_append(text, bytes + i, length));
    else
      ATL_TRY(atl_text_append_code(text, 0xFFFD));
    i += length;
  }
  return ATL_OK;
}

uint32_t atl_text_read(const char *bytes, size_t n, size_t *i) {
  uint32_t code;
  size_t length = atl_utf8_get(bytes + *i, n - *i, &code);
  ATL_ASSERT(length > 0);
  *i += length;
  return code;
}
