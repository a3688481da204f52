#include "common/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t first_signal; /* 0: none; file scope, as a handler has no other place to store it */

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},   {SIGUSR1, "SIGUSR1"},
               {SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}, {SIGHUP, "SIGHUP"}};

enum { N_SIGNALS = sizeof signals / sizeof *signals };

static void on_signal(int signal_number) {
  if (first_signal == 0) first_signal = signal_number;
}

static bool is_ignored(int signal_number) {
  struct sigaction action;
  return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void atl_stop_watch(void) {
  for (int i = 0; i < N_SIGNALS; i++) {
    int number = signals[i].number;
    if (number == SIGHUP && is_ignored(number)) continue;
    int once = number == SIGINT ? (int)SA_RESETHAND : 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = once | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
  }
}

bool atl_stop_is_requested(void) { return first_signal != 0; }

const char *atl_stop_signal(void) {
  for (int i = 0; i < N_SIGNALS; i++)
    if (signals[i].number == first_signal) return signals[i].name;
  return NULL;
}
