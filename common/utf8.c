#include "common/utf8.h"

#include <string.h>

size_t atl_utf8_get(const char *text, size_t n, uint32_t *code) {
  static const uint32_t min_codes[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length; a smaller code is overlong */
  if (n == 0) return 0;
  unsigned char first = (unsigned char)text[0];
  size_t length = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
  if (length == 0 || length > n) return 0;
  uint32_t value = length == 1 ? first : first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    unsigned char next = (unsigned char)text[i];
    if ((next & 0xc0) != 0x80) return 0;
    value = value << 6 | (next & 0x3f);
  }
  if (value < min_codes[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
  *code = value;
  return length;
}

size_t atl_utf8_find_error(const char *text, size_t n) {
  size_t at = 0;
  uint32_t code;
  for (size_t length; at < n && (length = atl_utf8_get(text + at, n - at, &code)) > 0;) at += length;
  return at;
}

static bool is_unsafe(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void atl_utf8_clean(char *text, bool keeps_newlines) {
  size_t n = strlen(text), end = 0;
  for (size_t at = 0; at < n;) {
    uint32_t code = 0;
    size_t length = atl_utf8_get(text + at, n - at, &code);
    if (length == 0 || (is_unsafe(code) && !(code == '\n' && keeps_newlines))) {
      text[end++] = '?';
      at += length == 0 ? 1 : length;
      continue;
    }
    memmove(text + end, text + at, length);
    end += length, at += length;
  }
  text[end] = '\0';
}
