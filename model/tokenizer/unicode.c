/* Full lower-casing equals utf8proc's simple mapping except for U+0130 and the final sigma (SpecialCasing.txt; D135 and
 * D136 of section 3.13 define cased and case-ignorable). */
#include "model/tokenizer/unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "common/memory.h"

enum { CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_WITH_DOT = 0x130, DOT_ABOVE = 0x307 };

uint32_t atl_unicode_from_windows_1252(uint32_t code) {
  static const uint16_t meant[32] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                     0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                     0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                     0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
  return code >= 0x80 && code <= 0x9F ? meant[code - 0x80] : code;
}

bool atl_unicode_is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool is_case_ignorable(uint32_t code) {
  /* Word_Break = MidLetter, MidNumLet or Single_Quote */
  static const uint16_t inside_words[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
                                          0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
  for (size_t i = 0; i < sizeof inside_words / sizeof inside_words[0]; i++)
    if (code == inside_words[i]) return true;
  switch (utf8proc_category((utf8proc_int32_t)code)) {
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_SK: return true;
  default: return false;
  }
}

/* Lower, upper or title case; the ranges are the Other_Lowercase and Other_Uppercase characters that are not
 * letters. */
static bool is_cased(uint32_t c) {
  switch (utf8proc_category((utf8proc_int32_t)c)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT: return true;
  default: break;
  }
  return c == 0xAA || c == 0xBA || (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9) ||
         (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

/* From byte i on, is the first character that is not case-ignorable cased? */
static bool is_cased_ahead(const char *bytes, size_t n, size_t i) {
  while (i < n) {
    uint32_t code = atl_text_read(bytes, n, &i);
    if (!is_case_ignorable(code)) return is_cased(code);
  }
  return false;
}

atl_status_t atl_unicode_lower(const char *bytes, size_t n, bool final_sigma, atl_text_t *out) {
  bool is_cased_before = false; /* of the last character that is not case-ignorable */
  for (size_t i = 0; i < n;) {
    uint32_t code = atl_text_read(bytes, n, &i);
    uint32_t lower = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    if (code == CAPITAL_I_WITH_DOT) {
      ATL_TRY(atl_text_append_code(out, 'i'));
      lower = DOT_ABOVE;
    } else if (code == CAPITAL_SIGMA) {
      lower = final_sigma && is_cased_before && !is_cased_ahead(bytes, n, i) ? FINAL_SIGMA : SMALL_SIGMA;
    }
    ATL_TRY(atl_text_append_code(out, lower));
    if (!is_case_ignorable(code)) is_cased_before = is_cased(code);
  }
  return ATL_OK;
}

static const utf8proc_option_t form_options[] = {
    [ATL_UNICODE_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
    [ATL_UNICODE_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
    [ATL_UNICODE_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
    [ATL_UNICODE_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
};

/* Decomposes n bytes into codes(n_codes); *n_made is their number. NULL codes only count. Marks are not sorted. */
static atl_status_t decompose(const char *bytes, size_t n, utf8proc_option_t options, utf8proc_int32_t *codes,
                              size_t n_codes, size_t *n_made) {
  int boundclass = 0;
  *n_made = 0;
  for (size_t i = 0; i < n;) {
    utf8proc_int32_t code = (utf8proc_int32_t)atl_text_read(bytes, n, &i);
    size_t room = codes == NULL ? 0 : n_codes - *n_made;
    utf8proc_ssize_t got = utf8proc_decompose_char(code, codes == NULL ? NULL : codes + *n_made, (utf8proc_ssize_t)room,
                                                   options, &boundclass);
    ATL_CHECK(got >= 0 && (codes == NULL || (size_t)got <= room), INTERNAL, "utf8proc: %s", utf8proc_errmsg(got));
    *n_made += (size_t)got;
  }
  return ATL_OK;
}

static unsigned combining_class(utf8proc_int32_t code) {
  return (unsigned)utf8proc_get_property(code)->combining_class;
}

/* Stable counting sort of n marks by combining class (Unicode 3.11, D109). spare(n) is workspace. */
static void sort_marks(utf8proc_int32_t *codes, size_t n, utf8proc_int32_t *spare) {
  size_t at[257] = {0};
  for (size_t i = 0; i < n; i++) at[combining_class(codes[i]) + 1]++;
  for (int class = 0; class < 256; class ++) at[class + 1] += at[class];
  for (size_t i = 0; i < n; i++) spare[at[combining_class(codes[i])]++] = codes[i];
  memcpy(codes, spare, n * sizeof *codes);
}

/* utf8proc_decompose also sorts marks, but in time quadratic in the length of a run. */
static void order_marks(utf8proc_int32_t *codes, size_t n, utf8proc_int32_t *spare) {
  for (size_t i = 0; i < n; i++) {
    size_t first = i;
    bool is_ordered = true;
    for (unsigned before = 0, class; i < n && (class = combining_class(codes[i])) > 0; i++, before = class)
      is_ordered = is_ordered && before <= class;
    if (!is_ordered) sort_marks(codes + first, i - first, spare);
  }
}

/* codes(n_codes) and spare(n_codes) are workspace. */
static atl_status_t compose(const char *bytes, size_t n, utf8proc_option_t options, utf8proc_int32_t *codes,
                            size_t n_codes, utf8proc_int32_t *spare, atl_text_t *out) {
  size_t n_made;
  ATL_TRY(decompose(bytes, n, options, codes, n_codes, &n_made));
  order_marks(codes, n_made, spare);
  utf8proc_ssize_t got = utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n_made, options);
  for (utf8proc_ssize_t i = 0; i < got; i++) ATL_TRY(atl_text_append_code(out, (uint32_t)codes[i]));
  return ATL_OK;
}

atl_status_t atl_unicode_normalize(const char *bytes, size_t n, atl_unicode_form_t form, atl_text_t *out) {
  if (n == 0) return ATL_OK;
  size_t n_codes;
  utf8proc_int32_t *codes;
  ATL_TRY(decompose(bytes, n, form_options[form], NULL, 0, &n_codes));
  ATL_TRY(ATL_NEW(2 * n_codes + 1, &codes));
  atl_status_t status = compose(bytes, n, form_options[form], codes, n_codes, codes + n_codes, out);
  ATL_DESTROY(&codes);
  return status;
}
