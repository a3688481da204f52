/* Pickle machine: the state of the interpreter, that is, the bytes being read, the stack with its marks, and the memo.
 * Private to common/torch/pickle.c. All functions return INPUT when a pickle reads, pops or refers to something that
 * does not exist; values are borrowed from the pool. */
#ifndef ATL_COMMON_TORCH_PICKLE_PRIVATE_H
#define ATL_COMMON_TORCH_PICKLE_PRIVATE_H

#include "common/torch/pickle.h"

typedef struct {
  atl_value_pool_t *pool;
  const atl_pickle_hooks_t *hooks;
  const unsigned char *bytes;
  size_t n_bytes, at;
  atl_value_t **stack;
  size_t n_stack, stack_capacity;
  size_t *marks; /* (n_marks): values of n_stack */
  size_t n_marks, marks_capacity;
  atl_value_t **memo;           /* by number; NULL: unused */
  size_t n_memo, memo_capacity; /* n_memo: entries in use */
} atl_pickle_machine_t;

/* Frees the stack, the marks and the memo. */
void atl_pickle_machine_clear(atl_pickle_machine_t *machine);

/* The next n bytes; borrowed. */
atl_status_t atl_pickle_read_bytes(atl_pickle_machine_t *machine, uint64_t n, const unsigned char **bytes);
/* An unsigned little-endian integer of `width` bytes. */
atl_status_t atl_pickle_read_number(atl_pickle_machine_t *machine, unsigned width, uint64_t *number);
/* The n bytes before the next newline, which is skipped; borrowed. */
atl_status_t atl_pickle_read_line(atl_pickle_machine_t *machine, const unsigned char **line, size_t *n);

atl_status_t atl_pickle_push(atl_pickle_machine_t *machine, atl_value_t *value);
atl_status_t atl_pickle_push_mark(atl_pickle_machine_t *machine);
/* INPUT unless at least n values lie above the last mark. */
atl_status_t atl_pickle_expect(const atl_pickle_machine_t *machine, size_t n);
atl_status_t atl_pickle_pop(atl_pickle_machine_t *machine, atl_value_t **value);
atl_status_t atl_pickle_get_top(const atl_pickle_machine_t *machine, atl_value_t **value);
/* Removes the last mark; stack[*first .. n_stack) are the values above it. */
atl_status_t atl_pickle_pop_mark(atl_pickle_machine_t *machine, size_t *first);

/* Stores the top of the stack under a number; writers count from 0. */
atl_status_t atl_pickle_put_memo(atl_pickle_machine_t *machine, uint64_t number);
atl_status_t atl_pickle_get_memo(const atl_pickle_machine_t *machine, uint64_t number, atl_value_t **value);

#endif
