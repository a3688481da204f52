// TEST np=1
#include "common/utf8.h"

#include "tests/support/tap.h"

static int is(const char *text, size_t n, size_t length, uint32_t want) {
  uint32_t code = 0;
  return atl_utf8_get(text, n, &code) == length && (length == 0 || code == want);
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
  TAP_OK(is("\xe6\x97", 2, 0, 0) && is("\xe6x\xa5", 3, 0, 0) && is("", 0, 0, 0), "nothing torn");
  TAP_OK(atl_utf8_find_error("l\xc3\xb6we", 5) == 5 && atl_utf8_find_error("ab\xff", 3) == 2,
         "where the first error is");
  return tap_done();
}
