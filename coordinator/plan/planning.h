/* Planning: builds the request that partition/plan takes from a model's configuration and a job's settings: bytes of
 * the model's parts, costs, limits. `generate`, `probe` and `plan` share it, so that the plan a user sees beforehand is
 * the plan that runs. Arithmetic only; all local.
 *
 *     atl_planning_t planning = {.n_ranks = 4, .n_cores = 1, .has_decoders = true};
 *     atl_planning_set_job(&planning, &job, model);
 *     atl_planning_set_layout(&planning, &options);
 *     atl_planning_request(&planning, &request);
 *     ATL_TRY(atl_planning_make_plan(NULL, &request, &plan));
 */
#ifndef ATL_COORDINATOR_PLAN_PLANNING_H
#define ATL_COORDINATOR_PLAN_PLANNING_H

#include "coordinator/plan/layout_options.h"
#include "model/transformer/transformer.h"
#include "partition/plan.h"
#include "proto/wire.h"

typedef struct {
  const atl_transformer_config_t *transformer;
  const atl_vae_config_t *vae;   /* NULL: decoding is not counted: there is none, or the VAE is unknown */
  const atl_clip_config_t *clip; /* NULL: nothing is scored */
  int32_t n_ranks, n_cores;      /* n_cores: of one rank */
  int64_t n_images;
  int32_t n_prompts;
  int32_t n_prime; /* image tokens that every candidate begins with */
  bool is_guided, has_decoders;
  int32_t n_stages, n_pipelines, n_decoders, n_slots, microbatch; /* 0: the plan decides */
  int64_t memory_per_rank;                                        /* bytes; 0: unlimited */
  int64_t cache_per_rank;                                         /* bytes of last-level cache; 0: ignored */
  double hop_seconds, hop_bytes; /* a message's latency and bytes/s; 0: defaults of partition/cost */
  double core_flops, core_bytes; /* a core's FLOP/s and bytes/s; 0: defaults of partition/cost */
  atl_dtype_t dtype, kv;         /* dtype: of the weights; kv: of the cached image keys and values */
  atl_dtype_t storage;           /* of the matrices in the model's file */
} atl_planning_t;

/* The dtype in which the matrices of a model's transformer are stored. */
atl_dtype_t atl_planning_storage(const atl_model_t *model);

/* Sets model, images and dtypes from the job; reads planning->has_decoders. Borrows the model's configurations. */
void atl_planning_set_job(atl_planning_t *planning, const atl_job_t *job, const atl_model_t *model);
/* Sets what the user has fixed. */
void atl_planning_set_layout(atl_planning_t *planning, const atl_layout_options_t *options);
/* Fills the whole request. Borrows nothing afterwards. */
void atl_planning_request(const atl_planning_t *planning, atl_plan_request_t *request);
/* Reads the plan from the file at `path` and evaluates it for the request, or finds the best plan when path is NULL.
 * INPUT: the file is bad or no plan fits. */
atl_status_t atl_planning_make_plan(const char *path, const atl_plan_request_t *request, atl_plan_t *plan);

#endif
