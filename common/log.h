/* Log: lines on stderr, `[12:03:07 r3 stage 0.1 info] text`. Results never go here; they go to stdout or files.
 *
 * error: the run or an input failed, and the line says what to do.   warn: the run goes on, a user would want to know.
 * info: what a user follows a run by.                                debug: what a developer follows a run by.
 *
 * ATL_LOG_ROOT prints on rank 0 only; ATL_LOG prints on every rank that calls it.
 */
#ifndef ATL_COMMON_LOG_H
#define ATL_COMMON_LOG_H

typedef enum { ATL_LOG_ERROR, ATL_LOG_WARN, ATL_LOG_INFO, ATL_LOG_DEBUG } atl_log_level_t;

/* What is printed, from now on; `info` at start. */
void atl_log_set_level(atl_log_level_t level);
/* Who speaks: the world rank, and the name of its role ("stage 0.1") or NULL; copied. */
void atl_log_set_speaker(int rank, const char *role);

void atl_log_print(atl_log_level_t level, int root_only, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define ATL_LOG(level, ...) atl_log_print(ATL_LOG_##level, 0, __VA_ARGS__)
#define ATL_LOG_ROOT(level, ...) atl_log_print(ATL_LOG_##level, 1, __VA_ARGS__)

#endif
