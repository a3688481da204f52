// TEST np=1 timeout=60
/* Normalisation agrees with utf8proc_map and takes linear time, however many marks a character has. */
#include "model/tokenizer/unicode.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "common/memory.h"
#include "tests/support/tap.h"

/* Letters, marks of many classes, Hangul, compatibility forms, singletons. */
static const uint32_t the_codes[] = {'a',    'e',    ' ',   0x1100,  0x1161,  0x11A8, 0xAC01, 0xFDFA,  0x212B, 0x1E69,
                                     0xFB01, 0x301,  0x307, 0x316,   0x323,   0x327,  0x31B,  0x345,   0x5B0,  0x5C1,
                                     0x64B,  0x3099, 0x94D, 0x1D165, 0x1D16E, 0x0344, 0x0F73, 0x1F600, 0x335,  0x7F7};
enum { N_CODES = sizeof the_codes / sizeof *the_codes, N_TEXTS = 2000, MAX_LENGTH = 60, N_MARKS = 2000000 };

static uint64_t the_state = 88172645463325252u;
static size_t draw(size_t n) { /* xorshift */
  the_state ^= the_state << 13, the_state ^= the_state >> 7, the_state ^= the_state << 17;
  return (size_t)(the_state % n);
}

static void check_form(atl_unicode_form_t form, utf8proc_option_t options, const char *name) {
  size_t n_different = 0;
  for (int i = 0; i < N_TEXTS; i++) {
    atl_text_t text = {0}, got = {0};
    for (size_t n = 1 + draw(MAX_LENGTH); n > 0; n--) atl_text_append_code(&text, the_codes[draw(N_CODES)]);
    utf8proc_uint8_t *want;
    utf8proc_ssize_t n_want =
        utf8proc_map((const utf8proc_uint8_t *)text.bytes, (utf8proc_ssize_t)text.n, &want, UTF8PROC_STABLE | options);
    atl_status_t status = atl_unicode_normalize(text.bytes, text.n, form, &got);
    n_different += status != ATL_OK || n_want < 0 || got.n != (size_t)n_want || memcmp(got.bytes, want, got.n) != 0;
    free(want);
    atl_text_clear(&text);
    atl_text_clear(&got);
  }
  TAP_OK(n_different == 0, name);
}

/* 2,000,000 marks of two alternating classes. A quadratic sort would take an hour, far beyond this test's timeout. */
static void check_long_run(void) {
  atl_text_t text = {0}, got = {0};
  for (int i = 0; i < N_MARKS; i++) atl_text_append_code(&text, i % 2 == 0 ? 0x301 : 0x316); /* classes 230, 220 */
  TAP_STATUS(ATL_OK, atl_unicode_normalize(text.bytes, text.n, ATL_UNICODE_NFD, &got), "2,000,000 marks are ordered");
  size_t n_below = 0, i = 0;
  while (i < got.n && atl_text_read(got.bytes, got.n, &i) == 0x316) n_below++;
  TAP_OK(got.n == text.n && n_below == N_MARKS / 2, "the marks below come first");
  atl_text_clear(&text);
  atl_text_clear(&got);
}

int main(void) {
  check_form(ATL_UNICODE_NFC, UTF8PROC_COMPOSE, "NFC of 2,000 random texts equals utf8proc's");
  check_form(ATL_UNICODE_NFD, UTF8PROC_DECOMPOSE, "NFD of 2,000 random texts equals utf8proc's");
  check_form(ATL_UNICODE_NFKC, UTF8PROC_COMPOSE | UTF8PROC_COMPAT, "NFKC of 2,000 random texts equals utf8proc's");
  check_form(ATL_UNICODE_NFKD, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, "NFKD of 2,000 random texts equals utf8proc's");
  check_long_run();
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
