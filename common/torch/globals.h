/* Torchglobals: the meaning of the names in PyTorch's pickles. A fixed list: constructors of plain containers, of
 * tensors and storages, and of small inert objects (devices, paths, dates, numpy scalars), which become bags of their
 * arguments. A call of any other name is rejected, because it would require running code.
 *
 *     atl_pickle_hooks_t hooks = atl_torchglobals_hooks(&tensors);
 *     ATL_TRY(atl_pickle_load(&pool, bytes, n_bytes, &hooks, &n_used, &root));
 */
#ifndef ATL_COMMON_TORCH_GLOBALS_H
#define ATL_COMMON_TORCH_GLOBALS_H

#include "common/torch/pickle.h"
#include "common/torch/tensor.h"

/* Hooks that record storages and views in `tensors`, which must outlive the hooks. Borrows. */
atl_pickle_hooks_t atl_torchglobals_hooks(atl_torchtensors_t *tensors);

#endif
