/* Torchlist: lists all tensors below a value, named as in state_dict(). See atl_torchfile_list_tensors. */
#ifndef ATL_COMMON_TORCH_LIST_H
#define ATL_COMMON_TORCH_LIST_H

#include "common/torch/value.h"

/* The tensors in the order of the values, borrowed from the pool. INPUT as for atl_torchfile_list_tensors. */
atl_status_t atl_torchlist_take(atl_value_pool_t *pool, const atl_value_t *value, atl_tensor_t **tensors,
                                size_t *n_tensors);

#endif
