/* Value: plain data as described by a pickle: numbers, strings, lists, dictionaries, tensors, and objects as bags of
 * attributes.
 *
 * common/torch/pickle creates values in a pool, which owns them. Readers check values before they return them: no value
 * contains itself, and none is nested deeper than ATL_VALUE_MAX_DEPTH. The same value may appear in several places.
 *
 *     const atl_value_t *hparams = atl_value_find(root, "hparams");
 *     const atl_value_t *dim = atl_value_find(hparams, "dim");          NULL: absent
 *     if (dim != NULL && dim->kind == ATL_VALUE_INT) use(dim->integer);
 */
#ifndef ATL_COMMON_TORCH_VALUE_H
#define ATL_COMMON_TORCH_VALUE_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/tensor.h"

enum { ATL_VALUE_MAX_DEPTH = 200 };

typedef enum {
  ATL_VALUE_NONE,
  ATL_VALUE_BOOL,
  ATL_VALUE_INT,
  ATL_VALUE_REAL,
  ATL_VALUE_TEXT,
  ATL_VALUE_BYTES,
  ATL_VALUE_LIST, /* LIST, TUPLE, SET: items */
  ATL_VALUE_TUPLE,
  ATL_VALUE_SET,
  ATL_VALUE_DICT,   /* keys and items; also OrderedDict */
  ATL_VALUE_OBJECT, /* of an unknown class: keys and items are its attributes; or a class or function itself */
  ATL_VALUE_TENSOR  /* a tensor or a parameter */
} atl_value_kind_t;

typedef struct atl_value atl_value_t;
struct atl_value {
  atl_value_kind_t kind;
  bool boolean;
  int64_t integer;
  double real;
  const char *text; /* TEXT and BYTES: with a NUL added; OBJECT: its class, "module.Name" */
  size_t n_bytes;   /* of TEXT and BYTES, without the NUL */
  const atl_value_t *const *keys, *const *items; /* n_items of each; keys of DICT and OBJECT only */
  size_t n_items;
  atl_tensor_t tensor; /* its name is NULL; the key names it */
  uint16_t mark;       /* private to the reader: the kind of an OBJECT while the pickle runs */
  uint16_t height;     /* private to the reader: levels from here down; 0: not checked yet */
};

/* The item of a DICT or OBJECT under a string key, the last one if there are several. NULL when there is none, or when
 * `value` is NULL or of another kind. */
const atl_value_t *atl_value_find(const atl_value_t *value, const char *key);

/* For readers: owns the values. `budget_bytes` bounds the memory that a hostile file can make them take. */
typedef struct {
  atl_arena_t arena;
  size_t budget_bytes;      /* bytes still available for values */
  const char *where;        /* names the file in messages; borrowed */
  atl_value_t *spare;       /* values allocated in one block and not handed out yet */
  size_t n_spare, n_values; /* n_values: handed out so far */
} atl_value_pool_t;

/* Counts n_bytes allocated elsewhere (a reader's stack) against the budget. INPUT when it is spent. */
atl_status_t atl_value_charge(atl_value_pool_t *pool, size_t n_bytes);
/* Takes n_bytes from the pool's arena. INPUT when the budget is spent. Borrowed from the pool. */
atl_status_t atl_value_take_bytes(atl_value_pool_t *pool, size_t n_bytes, void **block);
/* Creates an empty value; borrowed from the pool. INPUT when the budget is spent, as for all functions below. */
atl_status_t atl_value_new(atl_value_pool_t *pool, atl_value_kind_t kind, atl_value_t **value);
/* Creates a TEXT, BYTES or OBJECT with a copy of n bytes of text. */
atl_status_t atl_value_new_text(atl_value_pool_t *pool, atl_value_kind_t kind, const void *text, size_t n,
                                atl_value_t **value);
/* Appends an item to a LIST, TUPLE or SET. */
atl_status_t atl_value_append(atl_value_pool_t *pool, atl_value_t *value, const atl_value_t *item);
/* Appends a key and its item to a DICT or OBJECT. A repeated key is stored twice; atl_value_find returns the last. */
atl_status_t atl_value_put(atl_value_pool_t *pool, atl_value_t *value, const atl_value_t *key, const atl_value_t *item);
/* INPUT when a value contains itself or is nested deeper than ATL_VALUE_MAX_DEPTH. */
atl_status_t atl_value_check(atl_value_pool_t *pool, const atl_value_t *root);

#endif
