/* Resident: what this process takes of the machine's memory, libraries, stacks and mapped files included, as the system
 * counts it (common/memory counts what the program has asked for). Linux; elsewhere not known. */
#ifndef ATL_COMMON_RESIDENT_H
#define ATL_COMMON_RESIDENT_H

#include <stdint.h>

/* The most it has taken since the peak was reset, or ever; 0: not known. */
uint64_t atl_resident_peak_bytes(void);
/* From now on. Where the system does not allow it, the peak stays what it was. */
void atl_resident_reset_peak(void);

#endif
