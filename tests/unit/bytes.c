// TEST np=1
#include "common/bytes.h"

#include "tests/support/tap.h"

static void is_text(int64_t n_bytes, const char *want) {
  char text[32];
  atl_bytes_format(n_bytes, text);
  if (!TAP_OK(strcmp(text, want) == 0, want)) printf("# found %s\n", text);
}

int main(void) {
  is_text(0, "0 bytes");
  is_text(1023, "1023 bytes");
  is_text(1024, "1.0 KiB");
  is_text(1536, "1.5 KiB");
  is_text((int64_t)3 << 29, "1.5 GiB");
  is_text((int64_t)1 << 50, "1024.0 TiB");
  return tap_done();
}
