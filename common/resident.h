/* Resident: the resident set size of this process as the system counts it, with libraries, stacks and mapped files
 * (common/memory counts the bytes that the program allocated). Linux only. Local. */
#ifndef ATL_COMMON_RESIDENT_H
#define ATL_COMMON_RESIDENT_H

#include <stdint.h>

/* Peak resident bytes (VmHWM) since the last reset, or since the start; 0: unknown. */
uint64_t atl_resident_peak_bytes(void);
/* Sets the peak to the current size. Where the system does not allow that, the old peak stays. */
void atl_resident_reset_peak(void);

#endif
