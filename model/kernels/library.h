/* Library: reports which machine code oneDNN selects on this processor. The selection is oneDNN's own, and it decides
 * the last bits of what oneDNN computes. */
#ifndef ATL_MODEL_KERNELS_LIBRARY_H
#define ATL_MODEL_KERNELS_LIBRARY_H

#include <stddef.h>

enum { ATL_LIBRARY_BYTES = 64 }; /* enough for any description */

/* Writes oneDNN's version and the instruction set it uses here, as limited by ONEDNN_MAX_CPU_ISA, into text: "2.6.0
 * avx512_core". Returns text. */
const char *atl_library_describe_onednn(char *text, size_t text_bytes);

#endif
