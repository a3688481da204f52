/* Bench: how long the parts of a model take on this machine, next to how long they would have to take at least.
 *
 *     atl_bench_t bench = {.dtype = ATL_BF16, .seconds = 0.3};
 *     ATL_TRY(atl_bench_init(&bench));                      -- measures the machine's ceilings
 *     ATL_TRY(atl_bench_linears(&bench, &model->transformer_config, backends, n, rows, n));
 *     bench.entries[0].name, .seconds, .bound_seconds ...
 *     atl_bench_clear(&bench);
 *
 * Times are the best of several repeats: on a machine with other work only minima mean something. A bound is what the
 * ceilings allow: the larger of arithmetic at the measured peak and weights (and cached keys) at the measured reading
 * speed. Results are checked before anything is timed.
 */
#ifndef ATL_MODEL_BENCH_BENCH_H
#define ATL_MODEL_BENCH_BENCH_H

#include "model/kernels/ceiling.h"
#include "model/kernels/linear.h"
#include "model/model.h"

typedef struct {
  char name[96];        /* "linear to_qkv avx512 rows=32"; the key when two runs are compared */
  double seconds;       /* best of the repeats */
  double flops, bytes;  /* of arithmetic done and of weights and cache read; 0 when not counted */
  double bound_seconds; /* 0 when not counted */
} atl_bench_entry_t;

typedef struct {
  atl_dtype_t dtype;
  atl_backend_t backend;  /* of whole networks */
  double seconds;         /* to repeat each measurement for */
  int n_threads;          /* set by init */
  atl_ceiling_t one, all; /* of one thread and of all; set by init */
  atl_bench_entry_t *entries;
  size_t n_entries, capacity;
} atl_bench_t;

/* MEMORY. Sets all but dtype, backend and seconds. Caller clears. */
atl_status_t atl_bench_init(atl_bench_t *bench);
void atl_bench_clear(atl_bench_t *bench);

/* Every linear layer of a transformer of this shape, with each backend and each number of rows. Weights are random and
 * rotate through far more memory than caches hold. INTERNAL when a backend's numbers are wrong. */
atl_status_t atl_bench_linears(atl_bench_t *bench, const atl_transformer_config_t *config,
                               const atl_backend_t *backends, int n_backends, const int64_t *rows, int n_rows);
/* A layer of each kind of attention the model has, a step of a batch at the start, middle and end of the picture. */
atl_status_t atl_bench_layers(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches);
/* All layers: the prompt's prefill, then steps as above, with embedding and logits. */
atl_status_t atl_bench_steps(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches);
/* Drawing one code. */
atl_status_t atl_bench_sampling(atl_bench_t *bench, const atl_transformer_config_t *config);
/* One image: decoded from codes; preprocessed and seen by CLIP. Nothing when the model lacks the part. */
atl_status_t atl_bench_images(atl_bench_t *bench, const atl_model_t *model);

/* For the measurements themselves. Records one; arithmetic is bounded by the dtype's peak. */
atl_status_t atl_bench_add(atl_bench_t *bench, double seconds, double flops, double bytes, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* for (atl_laps_t laps = {.budget = bench->seconds}; atl_laps_next(&laps);) work();   -- then laps.best
 * At least 3 laps and at most 10000, until the budget is spent. */
typedef struct {
  double budget, start, lap, best;
  int n_laps;
} atl_laps_t;
bool atl_laps_next(atl_laps_t *laps);

#endif
