/* Random: model directories of any shape whose weights are random numbers, for measuring and for tests of sizes no
 * trained model has. The same shape always gives the same files.
 *
 *     ATL_TRY(atl_random_model_write("dalle-1024-full", ATL_BF16, "bench-model"));
 */
#ifndef ATL_MODEL_RANDOM_H
#define ATL_MODEL_RANDOM_H

#include "common/tensor.h"

/* shape: see model/shape.h. Matrices are stored as `storage`. INPUT when the directory exists; USAGE, MEMORY, IO. */
atl_status_t atl_random_model_write(const char *shape, atl_dtype_t storage, const char *directory);

#endif
