/* Pickle: interprets a Python pickle (protocols 2 to 5) as a description of data. The interpreter never imports, looks
 * up or calls anything. The name of a class or function becomes an inert value; hooks decide what calling it means, and
 * reject all names outside a fixed list.
 *
 *     atl_pickle_hooks_t hooks = {.context = me, .call = on_call, .create = on_create, .persist = on_persist};
 *     ATL_TRY(atl_pickle_load(&pool, bytes, n_bytes, &hooks, &n_used, &root));
 *
 * The pool's budget bounds the memory of the values, the stack, the marks and the memo together.
 */
#ifndef ATL_COMMON_TORCH_PICKLE_H
#define ATL_COMMON_TORCH_PICKLE_H

#include "common/torch/value.h"

/* The kind of an OBJECT while a pickle runs (its `mark`). */
enum {
  ATL_PICKLE_BAG,    /* an instance: a bag of attributes */
  ATL_PICKLE_GLOBAL, /* the name of a class or function; text is "module.name" */
  ATL_PICKLE_STORAGE /* created by a persist hook; `integer` is its index */
};

typedef struct {
  void *context; /* passed to each hook */
  /* callable(*arguments). UNSUPPORTED, with its name, when the callable does more than build data. */
  atl_status_t (*call)(void *context, const atl_value_t *callable, const atl_value_t *arguments, atl_value_t **result);
  /* A new instance of a class, without calling its constructor. */
  atl_status_t (*create)(void *context, const atl_value_t *class_name, const atl_value_t *arguments,
                         atl_value_t **result);
  /* The value of a persistent id. */
  atl_status_t (*persist)(void *context, const atl_value_t *id, atl_value_t **result);
} atl_pickle_hooks_t;

/* Runs the pickle at the start of n_bytes; *n_used is its length. INPUT when it is truncated or malformed; UNSUPPORTED
 * for a rejected call or an opcode of protocol 0 or 1. *root is borrowed from the pool and not yet checked for cycles
 * (atl_value_check). */
atl_status_t atl_pickle_load(atl_value_pool_t *pool, const unsigned char *bytes, size_t n_bytes,
                             const atl_pickle_hooks_t *hooks, size_t *n_used, atl_value_t **root);

#endif
