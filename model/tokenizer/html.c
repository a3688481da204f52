/* Numeric references follow the HTML 5 parsing rules: 0, surrogates and numbers beyond Unicode become U+FFFD, 128..159
 * are read as Windows-1252, and control characters and noncharacters are dropped. */
#include "model/tokenizer/html.h"

#include <stdlib.h>
#include <string.h>

#include "model/tokenizer/unicode.h"

enum { MAX_NAME_BYTES = 33, REPLACEMENT = 0xFFFD };

typedef struct {
  const char *name;
  size_t n;
} name_t;

static int compare(const void *key, const void *entry) {
  const name_t *wanted = key;
  const char *name = ((const atl_html_entity_t *)entry)->name;
  int order = strncmp(wanted->name, name, wanted->n);
  return order != 0 ? order : name[wanted->n] == 0 ? 0 : -1;
}

static const atl_html_entity_t *find(const char *name, size_t n) {
  return bsearch(&(name_t){name, n}, atl_html_entities, atl_html_n_entities, sizeof atl_html_entities[0], compare);
}

static bool is_dropped(uint32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || (c >= 0xFDD0 && c <= 0xFDEF) ||
         (c & 0xFFFE) == 0xFFFE;
}

/* Reads "#233;" or "#xE9" at s; returns its length, 0 if there is none. *number saturates beyond Unicode. */
static size_t read_number(const char *s, size_t n, uint32_t *number) {
  bool is_hex = n > 1 && (s[1] == 'x' || s[1] == 'X');
  size_t start = is_hex ? 2 : 1, i = start;
  uint32_t base = is_hex ? 16 : 10;
  for (*number = 0; i < n; i++) {
    uint32_t digit = s[i] >= '0' && s[i] <= '9'   ? (uint32_t)(s[i] - '0')
                     : s[i] >= 'a' && s[i] <= 'f' ? (uint32_t)(s[i] - 'a' + 10)
                     : s[i] >= 'A' && s[i] <= 'F' ? (uint32_t)(s[i] - 'A' + 10)
                                                  : 99;
    if (digit >= base) break;
    if (*number < 0x110000) *number = *number * base + digit;
  }
  if (i == start) return 0;
  return i < n && s[i] == ';' ? i + 1 : i;
}

static atl_status_t append_number(uint32_t number, atl_text_t *out) {
  if (number >= 0x80 && number <= 0x9F) return atl_text_append_code(out, atl_unicode_from_windows_1252(number));
  if (number == 0 || (number >= 0xD800 && number <= 0xDFFF) || number > 0x10FFFF)
    return atl_text_append_code(out, REPLACEMENT);
  return is_dropped(number) ? ATL_OK : atl_text_append_code(out, number);
}

/* The length of a possible name at s, after '&': up to 32 characters other than \t \n \f space < & # ; and then a
 * ';'. */
static size_t name_bytes(const char *s, size_t n) {
  size_t i = 0;
  for (int n_chars = 0; i < n && n_chars < 32 && memchr("\t\n\f <&#;", s[i], 8) == NULL; n_chars++)
    atl_text_read(s, n, &i);
  return i > 0 && i < n && s[i] == ';' ? i + 1 : i;
}

/* Resolves the reference at s, after its '&'; *taken is its length, 0 if there is none. */
static atl_status_t resolve(const char *s, size_t n, bool whole_only, atl_text_t *out, size_t *taken) {
  *taken = 0;
  if (n > 0 && s[0] == '#') {
    uint32_t number;
    size_t n_bytes = read_number(s, n, &number);
    if (n_bytes == 0 || (whole_only && s[n_bytes - 1] != ';')) return ATL_OK;
    *taken = n_bytes;
    return append_number(number, out);
  }
  size_t length = name_bytes(s, n), shortest = 2;
  if (whole_only && (length == 0 || s[length - 1] != ';')) return ATL_OK;
  if (whole_only) shortest = length;
  for (; length >= shortest && length > 0; length--) {
    const atl_html_entity_t *entity = length <= MAX_NAME_BYTES ? find(s, length) : NULL;
    if (entity == NULL) continue;
    *taken = length;
    return atl_text_append(out, entity->text, strlen(entity->text));
  }
  return ATL_OK;
}

atl_status_t atl_html_unescape(const char *bytes, size_t n, bool whole_only, atl_text_t *out) {
  for (size_t i = 0; i < n;) {
    const char *ampersand = memchr(bytes + i, '&', n - i);
    size_t end = ampersand ? (size_t)(ampersand - bytes) : n;
    ATL_TRY(atl_text_append(out, bytes + i, end - i));
    if (end == n) break;
    size_t taken;
    ATL_TRY(resolve(bytes + end + 1, n - end - 1, whole_only, out, &taken));
    if (taken == 0) ATL_TRY(atl_text_append(out, "&", 1));
    i = end + 1 + taken;
  }
  return ATL_OK;
}
