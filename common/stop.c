#include "common/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t the_request; /* the signal; a handler has no other way to say anything */

static const struct {
  int number;
  const char *name;
} the_signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},   {SIGUSR1, "SIGUSR1"},
                   {SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}, {SIGHUP, "SIGHUP"}};

enum { N_SIGNALS = sizeof the_signals / sizeof *the_signals };

static void note(int signal_number) {
  if (the_request == 0) the_request = signal_number;
}

static bool is_ignored(int signal_number) {
  struct sigaction action;
  return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void atl_stop_watch(void) {
  for (int i = 0; i < N_SIGNALS; i++) {
    int number = the_signals[i].number;
    if (number == SIGHUP && is_ignored(number)) continue;
    int once = number == SIGINT ? (int)SA_RESETHAND : 0;
    struct sigaction action = {.sa_handler = note, .sa_flags = once | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
  }
}

bool atl_stop_is_requested(void) { return the_request != 0; }

const char *atl_stop_signal(void) {
  for (int i = 0; i < N_SIGNALS; i++)
    if (the_signals[i].number == the_request) return the_signals[i].name;
  return NULL;
}
