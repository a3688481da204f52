/* Round: rounds sizes up to multiples. */
#ifndef ATL_COMMON_ROUND_H
#define ATL_COMMON_ROUND_H

#include <stdint.h>

/* The smallest multiple of `multiple` that is at least n, for n >= 0. */
static inline int64_t atl_round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

#endif
