/* Bench: how long the parts of a model take on this machine, beside the least time they can take.
 *
 *     atl_bench_t bench = {.dtype = ATL_BF16, .kv = ATL_BF16, .seconds = 0.3};
 *     ATL_TRY(atl_bench_init(&bench));                      -- measures the machine's ceilings
 *     ATL_TRY(atl_bench_linears(&bench, &model->transformer_config, backends, n, rows, n));
 *     ... bench.entries[0].name, .seconds, .bound.seconds ...
 *     atl_bench_clear(&bench);
 *
 * Times are the best of several repeats, because only minima mean something on a machine with other work. A bound is
 * what the ceilings of all threads allow (model/perf/roofline.h). Linear layers are compared with their plain twin
 * before they are timed. All functions are local; those that return a status fail with MEMORY. */
#ifndef ATL_MODEL_PERF_BENCH_BENCH_H
#define ATL_MODEL_PERF_BENCH_BENCH_H

#include "model/checkpoint/model.h"
#include "model/kernels/linear/linear.h"
#include "model/perf/ceiling.h"
#include "model/perf/roofline.h"

typedef struct {
  char name[96];     /* "linear to_qkv avx512 rows=32"; the key when two runs are compared */
  double seconds;    /* best of the repeats */
  atl_bound_t bound; /* zeros when not counted */
  bool is_cached;    /* caches may hold a part of what it reads, so it may beat the bound of memory */
  double of_step;    /* draws: share of the shortest measured step of the same batch; 0: none measured */
} atl_bench_entry_t;

/* What the ceilings allow a microbatch that draws whole images. */
typedef struct {
  int64_t batch;
  int32_t n_positions;
  atl_bound_t step; /* mean over the image's steps */
} atl_bench_job_t;

typedef struct {
  atl_dtype_t dtype, kv;    /* of the weights; of the cache's image part */
  atl_backend_t backend;    /* of whole networks */
  double seconds;           /* time to repeat each measurement for */
  size_t working_set_bytes; /* to go through before anything is read again; 0: init derives it from the caches */
  size_t cache_bytes;       /* of the last level; 0: init asks the system */
  int n_threads;            /* set by init */
  atl_ceiling_t one, all;   /* ceilings of one thread and of all; set by init */
  atl_ceiling_t end;        /* ceilings of all threads, measured again by finish; zeros before */
  atl_bench_entry_t *entries;
  size_t n_entries, capacity;
  atl_bench_job_t *jobs;
  size_t n_jobs;
} atl_bench_t;

/* Measures the ceilings. Everything but the settings above starts as zeros, or with entries added before. Caller
 * clears. */
atl_status_t atl_bench_init(atl_bench_t *bench);
/* Measures the ceilings of all threads again: if the machine has changed meanwhile, shares of the bound mean nothing.
 */
atl_status_t atl_bench_finish(atl_bench_t *bench);
void atl_bench_clear(atl_bench_t *bench);

/* Every linear layer of a transformer of this shape, with each backend and each number of rows. Weights are random and
 * rotate through the working set, or through less where the scratch of small layers would outgrow it. INTERNAL if a
 * backend's results are wrong. */
atl_status_t atl_bench_linears(atl_bench_t *bench, const atl_transformer_config_t *config,
                               const atl_backend_t *backends, int n_backends, const int64_t *rows, int n_rows);
/* The attention of a step alone, for each kind the model has, at the start, middle and end of the image, with keys and
 * values in memory; and the softmax of as many rows. */
atl_status_t atl_bench_attention(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                                 int n_batches);
/* One layer of each kind of attention the model has: a step of a batch at the start, middle and end of the image. */
atl_status_t atl_bench_layers(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches);
/* All layers: the prompt's prefill, then steps as above, with embedding and logits. */
atl_status_t atl_bench_steps(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches);
/* Drawing an image token for each row of a batch, on one thread as the last stage does. Call it after atl_bench_steps,
 * whose times it is compared with. */
atl_status_t atl_bench_sampling(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                                int n_batches);
/* One image: decoded from tokens; preprocessed and encoded by CLIP. Skips the parts that the model lacks. */
atl_status_t atl_bench_images(atl_bench_t *bench, const atl_model_t *model);
/* Bounds of whole images; measures nothing. */
atl_status_t atl_bench_jobs(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                            int n_batches);

/* The ceilings of all threads for the bench's dtype. */
atl_roof_t atl_bench_roof(const atl_bench_t *bench);
/* The entry of this name; NULL when there is none. Borrowed until the next entry is added. */
const atl_bench_entry_t *atl_bench_find(const atl_bench_t *bench, const char *name);

/* For the measurements: records one. bound NULL: not counted. */
atl_status_t atl_bench_add(atl_bench_t *bench, double seconds, const atl_bound_t *bound, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Laps of a measurement: at least 3 and at most 10000, until the budget is spent. A lap that does several items sets
 * n_items.
 *
 *     for (atl_laps_t laps = {.budget = bench->seconds}; atl_laps_next(&laps);) work();   -- then laps.best
 */
typedef struct {
  double budget, start, lap, best; /* best: seconds of one item */
  int64_t n_items;                 /* items of this lap; 1 unless set */
  int n_laps;
} atl_laps_t;
bool atl_laps_next(atl_laps_t *laps);
/* Starts the lap's clock again: what was done since atl_laps_next was preparation. */
void atl_laps_restart(atl_laps_t *laps);

#endif
