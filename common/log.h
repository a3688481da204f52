/* Log: lines on stderr, `[12:03:07 r3 stage 0.1 info] text`. Results go to stdout or files, never here.
 *
 *   error   the run or an input failed; the line says what to do
 *   warn    the run continues, but a user would want to know
 *   info    progress of a run, for users
 *   debug   progress of a run, for developers
 *
 *     ATL_LOG(WARN, "%s is %d bytes long", path, n);    every rank that calls it
 *     ATL_LOG_ROOT(INFO, "%d ranks", size);             rank 0 only
 *
 * All local; level and speaker are per process. Control characters in a line are replaced.
 */
#ifndef ATL_COMMON_LOG_H
#define ATL_COMMON_LOG_H

typedef enum { ATL_LOG_ERROR, ATL_LOG_WARN, ATL_LOG_INFO, ATL_LOG_DEBUG } atl_log_level_t;

/* Prints this level and those above it from now on; the initial level is `info`. */
void atl_log_set_level(atl_log_level_t level);
/* Sets the world rank and the role ("stage 0.1", or NULL for none) that lines begin with. Copies the role. */
void atl_log_set_speaker(int rank, const char *role);

void atl_log_print(atl_log_level_t level, int root_only, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define ATL_LOG(level, ...) atl_log_print(ATL_LOG_##level, 0, __VA_ARGS__)
#define ATL_LOG_ROOT(level, ...) atl_log_print(ATL_LOG_##level, 1, __VA_ARGS__)

#endif
