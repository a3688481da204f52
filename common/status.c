/* One message and its frames per thread, in fixed buffers, because a failure must not allocate. */
#include "common/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static _Thread_local char last_message[ATL_MESSAGE_BYTES];
static _Thread_local char last_trace[2048];

static const struct {
  const char *name, *sentence;
  int exit_code;
} statuses[] = {
#define X(name, exit_code, sentence) {#name, sentence, exit_code},
    ATL_STATUS_LIST(X)
#undef X
};

const char *atl_status_name(atl_status_t status) { return statuses[status].name; }

const char *atl_status_sentence(atl_status_t status) { return statuses[status].sentence; }

int atl_status_exit_code(atl_status_t status) { return statuses[status].exit_code; }

atl_status_t atl_status_pass(atl_status_t status, const char *file, int line, const char *function) {
  size_t used = strlen(last_trace);
  snprintf(last_trace + used, sizeof last_trace - used, "  at %s:%d %s\n", file, line, function);
  return status;
}

atl_status_t atl_status_fail(atl_status_t status, const char *file, int line, const char *function, const char *format,
                             ...) {
  char message[sizeof last_message]; /* the arguments may point into the previous message */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  atl_utf8_clean(message, false); /* names from files must not control a terminal */
  memcpy(last_message, message, sizeof message);
  last_trace[0] = '\0';
  return atl_status_pass(status, file, line, function);
}

atl_status_t atl_status_prefix(atl_status_t status, const char *prefix) {
  char message[sizeof last_message];
  if (status == ATL_OK) return status;
  memcpy(message, last_message, sizeof message);
  int n = snprintf(last_message, sizeof last_message, "%s", prefix);
  if (n >= 0 && (size_t)n < sizeof last_message)
    snprintf(last_message + n, sizeof last_message - (size_t)n, "%s", message);
  return status;
}

const char *atl_status_message(void) { return last_message; }

const char *atl_status_trace(void) { return last_trace; }

_Noreturn void atl_status_abort(const char *file, int line, const char *expression) {
  fprintf(stderr, "atelier: bug: %s:%d: %s does not hold\n", file, line, expression);
  abort();
}
