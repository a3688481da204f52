/* Status: how every function of atelier fails.
 *
 * A function that can fail returns atl_status_t; results leave through its last pointer arguments. The failing
 * place records one message with file, line and function; each caller that passes the failure on adds a frame.
 * Only main() turns a status into an exit code and prints the trace.
 *
 *     ATL_CHECK(n_rows > 0, INPUT, "%s: expected rows, found none; try --samples 1", path);
 *     ATL_TRY(atl_safetensors_open(path, &file));
 *     return ATL_OK;
 *
 * The trace is a property of the thread. Messages say what was expected, what was found and what to try.
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

enum { ATL_MESSAGE_BYTES = 2048 }; /* of a message, with its end */

/* Name ("INPUT"), sentence and process exit code of a status. */
const char *atl_status_name(atl_status_t status);
const char *atl_status_sentence(atl_status_t status);
int atl_status_exit_code(atl_status_t status);

/* Starts a trace with a message; returns `status`. Use through ATL_FAIL. */
atl_status_t atl_status_fail(atl_status_t status, const char *file, int line, const char *function, const char *format,
                             ...) __attribute__((format(printf, 5, 6)));

/* Appends a frame to the trace; returns `status`. Use through ATL_TRY. */
atl_status_t atl_status_pass(atl_status_t status, const char *file, int line, const char *function);

/* Puts `prefix` before the last failure's message unless `status` is OK; returns `status`. A command uses it to turn the
 * field that a message of model/ begins with into its option: "kv int4: ..." becomes "--kv int4: ...". */
atl_status_t atl_status_prefix(atl_status_t status, const char *prefix);

/* The last failure's message, one line, and its frames, a line each ("  at file:line function"). Borrowed until the
 * next failure on this thread. */
const char *atl_status_message(void);
const char *atl_status_trace(void);

_Noreturn void atl_status_abort(const char *file, int line, const char *expression);

/* The comma tells the compiler that the result is not ATL_OK, so that it knows what is initialised after a success. */
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
