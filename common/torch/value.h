/* Value: plain data as a pickle describes it: numbers, texts, lists, dictionaries, objects as bags of attributes,
 * tensors.
 *
 * Values are made by common/torch/pickle in a pool and live as long as it. What a reader hands out is checked: no value
 * contains itself, and none is nested deeper than ATL_VALUE_MAX_DEPTH. The same value may appear in several places.
 *
 *     const atl_value_t *hparams = atl_value_find(root, "hparams");
 *     const atl_value_t *dim = atl_value_find(hparams, "dim");          -- NULL when there is none
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
  ATL_VALUE_DICT,   /* keys and items; OrderedDict too */
  ATL_VALUE_OBJECT, /* of a class we do not know: keys and items are its attributes; also a class or function as such */
  ATL_VALUE_TENSOR  /* tensors and parameters */
} atl_value_kind_t;

typedef struct atl_value atl_value_t;
struct atl_value {
  atl_value_kind_t kind;
  bool boolean;
  int64_t integer;
  double real;
  const char *text;                              /* TEXT and BYTES: NUL added; OBJECT: its class, "module.Name" */
  size_t n_bytes;                                /* of TEXT and BYTES, without the NUL */
  const atl_value_t *const *keys, *const *items; /* n_items of each; keys of DICT and OBJECT only */
  size_t n_items;
  atl_tensor_t tensor; /* its name is NULL: the key names it */
  uint16_t mark;       /* private to the reader: what an OBJECT is while the pickle runs */
  uint16_t height;     /* private to the reader: levels of values from here down, once checked */
};

/* The item under a text key of a DICT or OBJECT, the last one put; NULL when there is none or value is NULL or of
 * another kind. */
const atl_value_t *atl_value_find(const atl_value_t *value, const char *key);

/* For readers: where values are made. A hostile file may ask for far more than its size: `budget_bytes` bounds it. */
typedef struct {
  atl_arena_t arena;
  size_t budget_bytes;      /* what may still be taken for values */
  const char *where;        /* names the file in messages; borrowed */
  atl_value_t *spare;       /* values taken from the arena in one piece and not handed out yet */
  size_t n_spare, n_values; /* n_values: handed out in all */
} atl_value_pool_t;

/* Counts n_bytes that are allocated elsewhere (a reader's stack); INPUT when the budget is spent. */
atl_status_t atl_value_charge(atl_value_pool_t *pool, size_t n_bytes);
/* Taken from the pool's arena; INPUT when the budget is spent. Borrowed. */
atl_status_t atl_value_take_bytes(atl_value_pool_t *pool, size_t n_bytes, void **block);
/* An empty value of a kind; borrowed from the pool. */
atl_status_t atl_value_new(atl_value_pool_t *pool, atl_value_kind_t kind, atl_value_t **value);
/* A TEXT, BYTES or OBJECT with n bytes of text, copied. */
atl_status_t atl_value_new_text(atl_value_pool_t *pool, atl_value_kind_t kind, const void *text, size_t n,
                                atl_value_t **value);
/* Adds an item to a LIST, TUPLE or SET. */
atl_status_t atl_value_append(atl_value_pool_t *pool, atl_value_t *value, const atl_value_t *item);
/* Adds a key and its item to a DICT or OBJECT; a key put twice is there twice, and the last one is found. */
atl_status_t atl_value_put(atl_value_pool_t *pool, atl_value_t *value, const atl_value_t *key, const atl_value_t *item);
/* INPUT when a value contains itself or is nested deeper than ATL_VALUE_MAX_DEPTH. */
atl_status_t atl_value_check(atl_value_pool_t *pool, const atl_value_t *root);

#endif
