// TEST np=1
#include "common/utf8.h"

#include "tests/support/tap.h"

static int is(const char *text, size_t n, size_t length, uint32_t want) {
  uint32_t code = 0;
  return atl_utf8_get(text, n, &code) == length && (length == 0 || code == want);
}

static int becomes(const char *text, bool keeps_newlines, const char *want) {
  char copy[64];
  strcpy(copy, text);
  atl_utf8_clean(copy, keeps_newlines);
  return strcmp(copy, want) == 0;
}

int main(void) {
  TAP_OK(is("A", 1, 1, 'A') && is("\xc3\xb6", 2, 2, 0xf6) && is("\xe6\x97\xa5", 3, 3, 0x65e5) &&
             is("\xf0\x9f\xa6\x81x", 5, 4, 0x1f981),
         "one to four bytes");
  TAP_OK(is("\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff) && is("\xf4\x90\x80\x80", 4, 0, 0), "U+10FFFF is the last");
  TAP_OK(is("\xed\x9f\xbf", 3, 3, 0xd7ff) && is("\xed\xa0\x80", 3, 0, 0), "no surrogates");
  TAP_OK(is("\xc0\xaf", 2, 0, 0) && is("\xe0\x80\xaf", 3, 0, 0) && is("\xf0\x80\x80\xaf", 4, 0, 0),
         "no overlong forms");
  TAP_OK(is("\x80", 1, 0, 0) && is("\xff", 1, 0, 0) && is("\xf8\x88\x80\x80\x80", 5, 0, 0), "no stray bytes");
  TAP_OK(is("\xe6\x97", 2, 0, 0) && is("\xe6x\xa5", 3, 0, 0) && is("", 0, 0, 0), "no incomplete sequences");
  TAP_OK(atl_utf8_find_error("l\xc3\xb6we", 5) == 5 && atl_utf8_find_error("ab\xff", 3) == 2,
         "the first error is found");
  TAP_OK(becomes("l\xc3\xb6we \xf0\x9f\xa6\x81", false, "l\xc3\xb6we \xf0\x9f\xa6\x81"), "plain text is safe as it is");
  TAP_OK(becomes("\x1b]0;title\x07 \x7f\t", false, "?]0;title? ??"), "control characters are cleaned");
  TAP_OK(becomes("\xc2\x9b"
                 "31m",
                 false, "?31m"),
         "C1 control characters are cleaned");
  TAP_OK(becomes("a\xe2\x80\xae"
                 "b\xe2\x81\xa6"
                 "c",
                 false, "a?b?c"),
         "direction overrides are cleaned");
  TAP_OK(becomes("a\x9b\xff", false, "a??"), "malformed bytes are cleaned");
  TAP_OK(becomes("a\nb", true, "a\nb") && becomes("a\nb", false, "a?b"), "newlines stay on request");
  return tap_done();
}
