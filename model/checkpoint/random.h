/* Random: writes model directories of any shape with random weights, for benchmarks and for tests of sizes that no
 * trained model has. A shape always gives the same files.
 *
 *     ATL_TRY(atl_random_model_write(&(atl_random_model_t){
 *         .shape = "dalle-1024-full", .storage = ATL_BF16, .directory = "bench-model"}));
 */
#ifndef ATL_MODEL_CHECKPOINT_RANDOM_H
#define ATL_MODEL_CHECKPOINT_RANDOM_H

#include "common/tensor.h"

typedef struct {
  const char *shape;                      /* see model/checkpoint/shape.h */
  atl_dtype_t storage;                    /* of matrices */
  const char *directory;                  /* to create */
  const char *name;                       /* NULL: the shape */
  const char *tokenizer, *clip_tokenizer; /* files to copy, or NULL; generate needs the tokenizer */
} atl_random_model_t;

/* INPUT when the directory exists or a tokenizer does not fit; USAGE, MEMORY, IO. Borrows. */
atl_status_t atl_random_model_write(const atl_random_model_t *wanted);

#endif
