/* Convert: converts checkpoints into a model directory (docs/formats.md). Each part comes from one of the sources, and
 * the parts must fit each other. The directory appears complete or not at all.
 *
 *     const atl_convert_t settings = {.sources = {"dalle.pt", "clip.pt"}, .n_sources = 2, .out = "mymodel", ...};
 *     ATL_TRY(atl_convert_run(&settings));
 */
#ifndef ATL_MODEL_CHECKPOINT_CONVERT_H
#define ATL_MODEL_CHECKPOINT_CONVERT_H

#include "model/checkpoint/import/checkpoint.h"

enum { ATL_MAX_SOURCES = 16 };

typedef struct {
  const char *sources[ATL_MAX_SOURCES]; /* files or model directories; their parts are detected */
  int n_sources;
  const char *chosen[ATL_N_PARTS]; /* the file to take a part from, even if a source has that part; or NULL */
  const char *tokenizer;           /* the transformer's; NULL: taken from a model directory among the sources, if any */
  const char *clip_tokenizer;      /* CLIP's, likewise */
  const char *name;                /* NULL: the last component of `out` */
  const char *out;                 /* the directory to create */
  /* Storage of matrices: ATL_F32, ATL_F16 or ATL_BF16. Vectors, scales, norms and the rotary table then become F32:
   * they are small, and precision matters. ATL_N_DTYPES: all tensors as in the source. */
  atl_dtype_t storage;
  bool force; /* replace `out` if it is a model directory */
} atl_convert_t;

/* Local: one process writes. USAGE, INPUT, UNSUPPORTED, MEMORY, IO. Borrows. */
atl_status_t atl_convert_run(const atl_convert_t *settings);

#endif
