/* Status: error codes, messages and traces of all functions.
 *
 * A function that can fail returns atl_status_t and passes results through its last pointer arguments. The place of the
 * failure records one message with file, line and function; each caller that returns the failure adds a frame. Only
 * main() turns a status into an exit code and prints the trace.
 *
 *     ATL_CHECK(n_rows > 0, INPUT, "%s: expected rows, found none; try --samples 1", path);
 *     ATL_TRY(atl_safetensors_open(path, &file));
 *     return ATL_OK;
 *
 * Message and trace are thread-local. A message says what was expected, what was found and what to try. Control
 * characters in it are replaced, as names from files could otherwise control a terminal.
 */
#ifndef ATL_COMMON_STATUS_H
#define ATL_COMMON_STATUS_H

#include <stddef.h>

/* name, exit code, sentence */
#define ATL_STATUS_LIST(X)                                                                                             \
  X(OK, 0, "done")                                                                                                     \
  X(USAGE, 2, "the command line is not understood")                                                                    \
  X(INPUT, 2, "an input is missing, corrupt or not what was expected")                                                 \
  X(UNSUPPORTED, 2, "the input asks for something this program does not do")                                           \
  X(MEMORY, 2, "not enough memory")                                                                                    \
  X(IO, 1, "reading or writing failed")                                                                                \
  X(COMM, 1, "communication between ranks failed")                                                                     \
  X(NUMERIC, 1, "a network computed NaN or infinity")                                                                  \
  X(INTERNAL, 1, "a bug in atelier")                                                                                   \
  X(STOPPED, 3, "stopped on request; what is complete is kept")

typedef enum {
#define X(name, exit_code, sentence) ATL_##name,
  ATL_STATUS_LIST(X)
#undef X
      ATL_N_STATUSES
} atl_status_t;

enum { ATL_MESSAGE_BYTES = 2048 }; /* of a message, with its NUL */

/* The name ("INPUT"), sentence and exit code of a status. Static. */
const char *atl_status_name(atl_status_t status);
const char *atl_status_sentence(atl_status_t status);
int atl_status_exit_code(atl_status_t status);

/* Starts a new trace with a message; returns `status`. Used through ATL_FAIL. */
atl_status_t atl_status_fail(atl_status_t status, const char *file, int line, const char *function, const char *format,
                             ...) __attribute__((format(printf, 5, 6)));

/* Appends a frame to the trace; returns `status`. Used through ATL_TRY. */
atl_status_t atl_status_pass(atl_status_t status, const char *file, int line, const char *function);

/* Puts `prefix` before the message unless `status` is OK; returns `status`. A command uses it to turn the name that a
 * message of model/ begins with into its option: "kv int4: ..." becomes "--kv int4: ...". */
atl_status_t atl_status_prefix(atl_status_t status, const char *prefix);

/* The last failure's message (one line) and its frames, one line each ("  at file:line function"). Borrowed until the
 * next failure on this thread. */
const char *atl_status_message(void);
const char *atl_status_trace(void);

/* Prints the expression and aborts. Used through ATL_ASSERT. */
_Noreturn void atl_status_abort(const char *file, int line, const char *expression);

/* The comma expression tells the compiler that the result is not ATL_OK, so it knows what is initialised on success. */
#define ATL_FAIL(code, ...)                                                                                            \
  (atl_status_fail(ATL_##code, __FILE__, __LINE__, __func__, __VA_ARGS__), (atl_status_t)ATL_##code)

#define ATL_TRY(call)                                                                                                  \
  do {                                                                                                                 \
    atl_status_t atl_try_status = (call);                                                                              \
    if (atl_try_status != ATL_OK)                                                                                      \
      return atl_status_pass(atl_try_status, __FILE__, __LINE__, __func__), atl_try_status;                            \
  } while (0)

/* For inputs: returns a failure unless `condition` holds. */
#define ATL_CHECK(condition, code, ...)                                                                                \
  do {                                                                                                                 \
    if (!(condition)) return ATL_FAIL(code, __VA_ARGS__);                                                              \
  } while (0)

/* For our own bugs: aborts unless `condition` holds, in every build. */
#define ATL_ASSERT(condition) ((condition) ? (void)0 : atl_status_abort(__FILE__, __LINE__, #condition))

#endif
