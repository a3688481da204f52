/* Timer: seconds of the monotonic clock, for measuring; and the wall clock as text, for saying when. */
#ifndef ATL_COMMON_TIMER_H
#define ATL_COMMON_TIMER_H

/* Seconds since an arbitrary moment, never going back. */
double atl_timer_now(void);
/* Now in UTC, "2026-03-01T12:03:07Z", into text; returns text. */
const char *atl_timer_stamp(char text[32]);
/* Seconds as people read them, "12 s", "3 min 05 s", "2 h 07 min", "3 d 04 h", into text; returns text. */
const char *atl_timer_format(double seconds, char text[32]);

#endif
