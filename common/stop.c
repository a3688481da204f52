#include "common/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t the_request; /* a handler has no other way to say anything */

static void note(int signal_number) {
  (void)signal_number;
  the_request = 1;
}

void atl_stop_watch(void) {
  static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    int once = signals[i] == SIGINT ? (int)SA_RESETHAND : 0;
    struct sigaction action = {.sa_handler = note, .sa_flags = once | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signals[i], &action, NULL);
  }
}

bool atl_stop_is_requested(void) { return the_request != 0; }
