/* One message and its frames per thread, in fixed buffers: failing must not allocate. */
#include "common/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static _Thread_local char the_message[ATL_MESSAGE_BYTES];
static _Thread_local char the_trace[2048];

static const struct {
  const char *name, *sentence;
  int exit_code;
} the_statuses[] = {
#define X(name, exit_code, sentence) {#name, sentence, exit_code},
    ATL_STATUS_LIST(X)
#undef X
};

const char *atl_status_name(atl_status_t status) { return the_statuses[status].name; }

const char *atl_status_sentence(atl_status_t status) { return the_statuses[status].sentence; }

int atl_status_exit_code(atl_status_t status) { return the_statuses[status].exit_code; }

atl_status_t atl_status_pass(atl_status_t status, const char *file, int line, const char *function) {
  size_t used = strlen(the_trace);
  snprintf(the_trace + used, sizeof the_trace - used, "  at %s:%d %s\n", file, line, function);
  return status;
}

atl_status_t atl_status_fail(atl_status_t status, const char *file, int line, const char *function, const char *format,
                             ...) {
  char message[sizeof the_message]; /* the arguments may borrow the previous message */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  atl_utf8_clean(message, false); /* names from files must not speak to a terminal */
  memcpy(the_message, message, sizeof message);
  the_trace[0] = '\0';
  return atl_status_pass(status, file, line, function);
}

atl_status_t atl_status_prefix(atl_status_t status, const char *prefix) {
  char message[sizeof the_message];
  if (status == ATL_OK) return status;
  memcpy(message, the_message, sizeof message);
  int n = snprintf(the_message, sizeof the_message, "%s", prefix);
  if (n >= 0 && (size_t)n < sizeof the_message)
    snprintf(the_message + n, sizeof the_message - (size_t)n, "%s", message);
  return status;
}

const char *atl_status_message(void) { return the_message; }

const char *atl_status_trace(void) { return the_trace; }

_Noreturn void atl_status_abort(const char *file, int line, const char *expression) {
  fprintf(stderr, "atelier: bug: %s:%d: %s does not hold\n", file, line, expression);
  abort();
}
