/* Pickle: runs a Python pickle (protocols 2 to 5) as what it is for torch: a description of data. The interpreter
 * never imports, calls or looks up anything. A name of a class or function becomes an inert value; what a call of one
 * means is decided by the hooks, which know a fixed list of names and refuse the rest.
 *
 *     atl_pickle_hooks_t hooks = {.context = me, .call = on_call, .create = on_create, .persist = on_persist};
 *     ATL_TRY(atl_pickle_load(&pool, bytes, n_bytes, &hooks, &n_used, &root));
 *
 * Memory: the pool's budget bounds the values, the stack, the marks and the memo together.
 */
#ifndef ATL_COMMON_TORCH_PICKLE_H
#define ATL_COMMON_TORCH_PICKLE_H

#include "common/torch/value.h"

/* What an OBJECT is while a pickle runs (its `mark`). */
enum {
  ATL_PICKLE_BAG,    /* an instance: a bag of attributes */
  ATL_PICKLE_GLOBAL, /* the name of a class or function; text is "module.name" */
  ATL_PICKLE_STORAGE /* made by a persist hook, `integer` says which */
};

typedef struct {
  void *context; /* passed to each hook */
  /* callable(*arguments): UNSUPPORTED, by name, when the callable is not one that only builds data. */
  atl_status_t (*call)(void *context, const atl_value_t *callable, const atl_value_t *arguments, atl_value_t **result);
  /* A new instance of a class, without its constructor. */
  atl_status_t (*create)(void *context, const atl_value_t *class_name, const atl_value_t *arguments,
                         atl_value_t **result);
  /* What a persistent id stands for. */
  atl_status_t (*persist)(void *context, const atl_value_t *id, atl_value_t **result);
} atl_pickle_hooks_t;

/* Runs one pickle at the start of n bytes; n_used is where it ended. INPUT: truncated or malformed; UNSUPPORTED: a
 * call refused, an opcode of protocol 0 or 1. Values are borrowed from the pool and not yet checked for cycles. */
atl_status_t atl_pickle_load(atl_value_pool_t *pool, const unsigned char *bytes, size_t n_bytes,
                             const atl_pickle_hooks_t *hooks, size_t *n_used, atl_value_t **root);

#endif
