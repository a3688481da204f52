/* Torchlist: every tensor below a value, under names as state_dict() gives them. See atl_torchfile_list_tensors. */
#ifndef ATL_COMMON_TORCH_LIST_H
#define ATL_COMMON_TORCH_LIST_H

#include "common/torch/value.h"

/* The tensors, borrowed from the pool, in the order of the values. INPUT as atl_torchfile_list_tensors says. */
atl_status_t atl_torchlist_take(atl_value_pool_t *pool, const atl_value_t *value, atl_tensor_t **tensors,
                                size_t *n_tensors);

#endif
