/* Library: which machine code the libraries under the kernels choose on this processor. They choose for themselves, and
 * their choice decides the last bits of what they compute. */
#ifndef ATL_MODEL_KERNELS_LIBRARY_H
#define ATL_MODEL_KERNELS_LIBRARY_H

#include <stddef.h>

/* oneDNN's version and the instruction set it uses here, within ONEDNN_MAX_CPU_ISA: "2.6.0 avx512_core". Returns text.
 */
const char *atl_library_describe_onednn(char *text, size_t text_bytes);

#endif
