// TEST np=1
#include "common/timer.h"

#include "tests/support/tap.h"

static int reads(double seconds, const char *want) {
  char text[32];
  return strcmp(atl_timer_format(seconds, text), want) == 0;
}

int main(void) {
  double before = atl_timer_now(), after = atl_timer_now();
  char text[32];
  TAP_OK(after >= before, "time does not go back");
  TAP_OK(strlen(atl_timer_stamp(text)) == 20 && text[10] == 'T' && text[19] == 'Z', "a stamp is ISO 8601 in UTC");
  TAP_OK(reads(0, "0.0 s") && reads(9.94, "9.9 s") && reads(9.96, "10 s") && reads(59.4, "59 s"), "seconds");
  TAP_OK(reads(59.6, "1 min 00 s") && reads(185, "3 min 05 s") && reads(3599.7, "1 h 00 min"), "minutes");
  TAP_OK(reads(7620, "2 h 07 min") && reads(86400 * 3 + 4 * 3600, "3 d 04 h"), "hours and days");
  TAP_OK(reads(NAN, "unknown") && reads(INFINITY, "unknown") && reads(-1, "unknown"),
         "NaN, infinite and negative seconds are unknown");
  return tap_done();
}
