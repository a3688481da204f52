/* Tensor table: lists every tensor of a network once. A row holds the tensor's name in checkpoints, its shape in the
 * letters of docs/model.md, the offset of its parameter in the network's weights struct, and how training initialises
 * and decays it. Import, shape checks, binding, random models and saving walk this table; gradients and optimizers will
 * too.
 *
 *     static const atl_table_row_t rows[] = {
 *         {"codebook.weight", "V_i,K", offsetof(my_weights_t, codebook), ATL_TENSOR_TABLE, ATL_NORMAL("1"), 0},
 *     };
 *     static const atl_table_part_t parts[] = {{ATL_TABLE_ROWS(rows)}};
 *     const atl_table_t my_table = {.network = "mine", .parts = parts, .n_parts = 1, .describe = describe};
 *
 *     atl_table_list_t list = {0};
 *     ATL_TRY(atl_table_list(&my_table, &config, &list));
 *     list.items[0].name, list.items[0].shape ...
 *     atl_table_clear_list(&list);
 *
 * A network's weights struct holds an atl_parameter_t for each tensor. Layers and blocks that repeat are a pointer to
 * an array of such structs. The table holds offsets only, so one loop serves every network.
 */
#ifndef ATL_MODEL_NN_TABLE_H
#define ATL_MODEL_NN_TABLE_H

#include "common/arena.h"
#include "common/safetensors.h"

enum { ATL_NAME_BYTES = 128, ATL_TABLE_DIMS = 4, ATL_TABLE_LETTERS = 16 };

/* A tensor in a weights struct. In inference `value` is a view into the mapped file, or into a converted copy that
 * lives until the layer has been packed from it. In training the trainer owns both arrays. */
typedef struct {
  const float *value;
  float *gradient; /* of the same shape; NULL in inference */
} atl_parameter_t;

typedef enum {
  ATL_TENSOR_WEIGHT,      /* of a linear layer or a convolution */
  ATL_TENSOR_BIAS,        /* of either, or of a norm */
  ATL_TENSOR_GAIN,        /* of a norm */
  ATL_TENSOR_SCALE,       /* LayerScale */
  ATL_TENSOR_TABLE,       /* vectors looked up by index: embeddings, positions, the class token */
  ATL_TENSOR_TEMPERATURE, /* CLIP's logit_scale */
  ATL_TENSOR_BUFFER       /* saved but not trained: angles, running statistics */
} atl_tensor_kind_t;

typedef enum {
  ATL_INIT_ZERO,
  ATL_INIT_ONE,
  ATL_INIT_UNIFORM, /* in +-sqrt(times / over) */
  ATL_INIT_NORMAL,  /* mean 0, standard deviation sqrt(times / over) */
  ATL_INIT_GIVEN,   /* the constant set by the part's `describe` */
  ATL_INIT_COMPUTED /* by code that knows the tensor: the rotary angles */
} atl_init_kind_t;

typedef struct {
  atl_init_kind_t kind;
  const char *over; /* in letters, like one size of a shape */
  int32_t times;
} atl_init_t;

#define ATL_UNIFORM(over)                                                                                              \
  { ATL_INIT_UNIFORM, over, 1 }
#define ATL_NORMAL(over)                                                                                               \
  { ATL_INIT_NORMAL, over, 1 }
#define ATL_ZEROS                                                                                                      \
  { ATL_INIT_ZERO, NULL, 1 }
#define ATL_ONES                                                                                                       \
  { ATL_INIT_ONE, NULL, 1 }
#define ATL_GIVEN                                                                                                      \
  { ATL_INIT_GIVEN, NULL, 1 }
#define ATL_COMPUTED                                                                                                   \
  { ATL_INIT_COMPUTED, NULL, 1 }

typedef struct {
  const char *name;       /* follows the prefix of its part */
  const char *shape;      /* "3*H*E,D": sizes in letters and integers, with * and +; "" is a scalar */
  size_t offset;          /* of its atl_parameter_t in the network's struct, or in an item of its array */
  atl_tensor_kind_t kind; /* decides whether weight decay applies */
  atl_init_t init;        /* as in the reference implementation's training */
  uint32_t needs;         /* conditions that must all hold, as bits that the network defines */
} atl_table_row_t;

/* A part under a given configuration: filled by the network's describe functions. */
typedef struct {
  char prefix[ATL_NAME_BYTES]; /* "visual.transformer.resblocks.3", or "" */
  struct {
    const char *name;
    int64_t value;
  } letters[ATL_TABLE_LETTERS];
  int n_letters;
  uint32_t has;    /* conditions that hold */
  double constant; /* for ATL_INIT_GIVEN */
} atl_table_scope_t;

/* A repeated struct: the network's struct holds a pointer, at `offset`, to an array of items. */
typedef struct {
  size_t offset, item_bytes;
  int32_t (*count)(const void *config);
} atl_table_array_t;

typedef void (*atl_table_describe_t)(const void *config, int32_t i_item, atl_table_scope_t *scope);

typedef struct {
  const atl_table_array_t *array; /* NULL: once, in the network's struct. Adjacent parts with the same array are listed
                                      item by item: item 0 of each part, then item 1 of each part, ... */
  atl_table_describe_t describe;  /* sets the prefix and whatever differs between items; or NULL */
  const atl_table_row_t *rows;
  size_t n_rows;
} atl_table_part_t;
#define ATL_TABLE_ROWS(array_of_rows) .rows = array_of_rows, .n_rows = sizeof array_of_rows / sizeof *array_of_rows

typedef struct {
  const char *network; /* for messages */
  const atl_table_part_t *parts;
  size_t n_parts;
  atl_table_describe_t describe; /* sets letters and conditions of the whole network; runs before a part's own */
  /* Finds a tensor whose name the file spells differently; returns NULL when there is none. NULL: names are as here. */
  const atl_tensor_t *(*find)(const atl_safetensors_t *file, const char *name);
  uint32_t decays; /* the kinds that weight decay applies to: 1 << ATL_TENSOR_WEIGHT | ... */
} atl_table_t;

/* One tensor of a network with a given configuration. */
typedef struct {
  char name[ATL_NAME_BYTES];
  int n_dims;
  int64_t shape[ATL_TABLE_DIMS];
  atl_tensor_kind_t kind;
  atl_init_kind_t init;
  float spread; /* UNIFORM: the bound; NORMAL: the standard deviation; GIVEN: the constant */
  bool decays;
  const atl_table_array_t *array; /* NULL: in the network's struct */
  size_t offset;                  /* of the parameter, from the start of the struct or of the array */
} atl_table_entry_t;

typedef struct {
  atl_table_entry_t *items; /* owned */
  size_t n, capacity;
} atl_table_list_t; /* all zero is an empty list */

/* For describe functions: sets the value of letter `name`. A later value replaces an earlier one. */
void atl_table_set_letter(atl_table_scope_t *scope, const char *name, int64_t value);

/* Lists all tensors of a network with configuration `config`, in the order of the table. `list` is empty before.
 * MEMORY. Caller clears, also after a failure. */
atl_status_t atl_table_list(const atl_table_t *table, const void *config, atl_table_list_t *list);
void atl_table_clear_list(atl_table_list_t *list);
/* Number of parameters in tensors of `kinds` (1 << ATL_TENSOR_WEIGHT | ...) whose names begin with `prefix`. Pure. */
int64_t atl_table_n_parameters(const atl_table_t *table, const void *config, const char *prefix, uint32_t kinds);
/* Sum of measure(entry, context) over the tensors of `kinds`. Pure. */
int64_t atl_table_sum(const atl_table_t *table, const void *config, uint32_t kinds,
                      int64_t (*measure)(const atl_table_entry_t *entry, const void *context), const void *context);
size_t atl_table_n_items(const atl_table_entry_t *entry); /* product of the sizes */

/* Allocates the arrays of a weights struct, all zero. MEMORY. The arena owns. */
atl_status_t atl_table_take_arrays(const atl_table_t *table, const void *config, atl_arena_t *arena, void *weights);
/* The tensor's parameter in a weights struct whose arrays are allocated. Borrowed. */
atl_parameter_t *atl_table_place(const atl_table_entry_t *entry, void *weights);

#endif
