/* Convert: checkpoints -> a model directory (docs/formats.md). Each part comes from one of the sources; the parts must
 * fit each other; the directory appears whole or not at all.
 *
 *     const atl_convert_t settings = {.sources = {"dalle.pt", "clip.pt"}, .n_sources = 2, .out = "mymodel", ...};
 *     ATL_TRY(atl_convert_run(&settings));
 */
#ifndef ATL_MODEL_CHECKPOINT_CONVERT_H
#define ATL_MODEL_CHECKPOINT_CONVERT_H

#include "model/checkpoint/import/checkpoint.h"

enum { ATL_MAX_SOURCES = 16 };

typedef struct {
  const char *sources[ATL_MAX_SOURCES]; /* files or model directories; what they hold is found out */
  int n_sources;
  const char *chosen[ATL_N_PARTS]; /* the file a part is taken from, whatever else the sources hold; or NULL */
  const char *tokenizer; /* of the transformer, or NULL: that of a model directory among the sources, if any */
  const char *clip_tokenizer;
  const char *name; /* NULL: the last component of `out` */
  const char *out;  /* the directory to make */
  atl_dtype_t
      storage; /* of matrices: ATL_F32, ATL_F16, ATL_BF16; ATL_N_DTYPES: as in the source. Vectors, scales, norms
                  and the rotary table become F32 when this is given: they are few, and precision matters */
  bool force;  /* replace `out` when it is a model directory */
} atl_convert_t;

/* USAGE, INPUT, UNSUPPORTED, IO. Collective over nothing: one process writes. */
atl_status_t atl_convert_run(const atl_convert_t *settings);

#endif
