/* Timer: the monotonic clock in seconds, for measuring, and the wall clock as text. Local. */
#ifndef ATL_COMMON_TIMER_H
#define ATL_COMMON_TIMER_H

/* Seconds since an arbitrary point in time; never decreases. */
double atl_timer_now(void);
/* Writes the current time in UTC, "2026-03-01T12:03:07Z", into text; returns text. */
const char *atl_timer_stamp(char text[32]);
/* Writes a duration, "9.5 s", "12 s", "3 min 05 s", "2 h 07 min", "3 d 04 h" or "unknown", into text; returns text. */
const char *atl_timer_format(double seconds, char text[32]);

#endif
