/* Bench: how long the parts of a model take on this machine, next to how long they would have to take at least.
 *
 *     atl_bench_t bench = {.dtype = ATL_BF16, .kv = ATL_BF16, .seconds = 0.3};
 *     ATL_TRY(atl_bench_init(&bench));                      -- measures the machine's ceilings
 *     ATL_TRY(atl_bench_linears(&bench, &model->transformer_config, backends, n, rows, n));
 *     ... bench.entries[0].name, .seconds, .bound.seconds ...
 *     atl_bench_clear(&bench);
 *
 * Times are the best of several repeats: on a machine with other work only minima mean something. A bound is what the
 * ceilings of all threads allow (model/perf/roofline.h). Results are checked before anything is timed.
 */
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
  bool is_cached;    /* caches may hold a part of what it reads: too fast, and no bound of memory */
  double of_step;    /* draws: share of the shortest measured step of as many samples; 0 when none was measured */
} atl_bench_entry_t;

/* A whole image: what the ceilings allow a microbatch of it. */
typedef struct {
  int64_t batch;
  int32_t n_positions;
  atl_bound_t step; /* mean of the image's steps */
} atl_bench_job_t;

typedef struct {
  atl_dtype_t dtype, kv;    /* of the weights; of the cache's image part */
  atl_backend_t backend;    /* of whole networks */
  double seconds;           /* to repeat each measurement for */
  size_t working_set_bytes; /* to go through before anything is read again; 0: init decides, by the caches */
  size_t cache_bytes;       /* of the last level; 0: init asks the system */
  int n_threads;            /* set by init */
  atl_ceiling_t one, all;   /* of one thread and of all; set by init */
  atl_ceiling_t end;        /* of all, measured again by finish; zeros before */
  atl_bench_entry_t *entries;
  size_t n_entries, capacity;
  atl_bench_job_t *jobs;
  size_t n_jobs;
} atl_bench_t;

/* MEMORY. Measures the ceilings; all but the settings above starts as zeros, or with entries added before. Caller
 * clears. */
atl_status_t atl_bench_init(atl_bench_t *bench);
/* MEMORY. Measures the ceilings of all threads once more: a machine that has changed meanwhile makes shares worthless.
 */
atl_status_t atl_bench_finish(atl_bench_t *bench);
void atl_bench_clear(atl_bench_t *bench);

/* Every linear layer of a transformer of this shape, with each backend and each number of rows. Weights are random and
 * rotate through the working set; layers so small that their scratch would outgrow it through less. INTERNAL when a backend's numbers are wrong. */
atl_status_t atl_bench_linears(atl_bench_t *bench, const atl_transformer_config_t *config,
                               const atl_backend_t *backends, int n_backends, const int64_t *rows, int n_rows);
/* The attention of a step alone, of each kind the model has, at the start, middle and end of the picture, with what is
 * cached in memory; and the softmax of as many rows. */
atl_status_t atl_bench_attention(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                                 int n_batches);
/* A layer of each kind of attention the model has, a step of a batch at the start, middle and end of the picture. */
atl_status_t atl_bench_layers(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches);
/* All layers: the prompt's prefill, then steps as above, with embedding and logits. */
atl_status_t atl_bench_steps(atl_bench_t *bench, const atl_model_t *model, const int64_t *batches, int n_batches);
/* Drawing a code for each row of a batch, on one thread as the last stage does. After the steps it is a share of. */
atl_status_t atl_bench_sampling(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                                int n_batches);
/* One image: decoded from codes; preprocessed and seen by CLIP. Nothing when the model lacks the part. */
atl_status_t atl_bench_images(atl_bench_t *bench, const atl_model_t *model);
/* What the ceilings allow a whole image; measures nothing. */
atl_status_t atl_bench_jobs(atl_bench_t *bench, const atl_transformer_config_t *config, const int64_t *batches,
                            int n_batches);

/* The ceilings of all threads for the bench's dtype. */
atl_roof_t atl_bench_roof(const atl_bench_t *bench);
/* NULL when there is none. Borrowed until the next is added. */
const atl_bench_entry_t *atl_bench_find(const atl_bench_t *bench, const char *name);

/* For the measurements themselves. Records one; bound NULL: not counted. */
atl_status_t atl_bench_add(atl_bench_t *bench, double seconds, const atl_bound_t *bound, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* for (atl_laps_t laps = {.budget = bench->seconds}; atl_laps_next(&laps);) work();   -- then laps.best
 * At least 3 laps and at most 10000, until the budget is spent. A lap that did several of what is measured says so. */
typedef struct {
  double budget, start, lap, best; /* best: of one item */
  int64_t n_items;                 /* done in this lap; 1 unless set */
  int n_laps;
} atl_laps_t;
bool atl_laps_next(atl_laps_t *laps);
/* The lap begins here: what was done since atl_laps_next was preparing. */
void atl_laps_restart(atl_laps_t *laps);

#endif
