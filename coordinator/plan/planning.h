/* Planning: from a model's configuration and a job's settings to the request that partition/plan understands: bytes of
 * the model's pieces, costs, limits. Shared by `generate`, `probe` and `plan`, so that the plan a user sees beforehand
 * is the plan that runs.
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
  const atl_vae_config_t *vae;   /* NULL: the seconds and bytes of decoding are not known, or none */
  const atl_clip_config_t *clip; /* NULL: nothing is scored */
  int32_t n_ranks, n_cores;      /* n_cores: of a rank */
  int64_t n_images;
  int32_t n_prompts;
  int32_t n_prime; /* codes every image begins with */
  bool is_guided, has_decoders;
  int32_t n_stages, n_pipelines, n_decoders, n_slots, microbatch; /* 0: decide */
  int64_t memory_per_rank;                                        /* bytes; 0: unlimited */
  int64_t cache_per_rank;                                         /* bytes of last-level cache; 0: not counted on */
  double hop_seconds, hop_bytes; /* a message's latency and bytes a second; 0: partition/cost's defaults */
  double core_flops, core_bytes; /* a core's FLOPs and bytes a second; 0: partition/cost's defaults */
  atl_dtype_t dtype, kv;         /* of the weights; of the cache's image part */
  atl_dtype_t storage;           /* of the matrices in the model's file */
} atl_planning_t;

/* What the matrices of a model's transformer are stored as. */
atl_dtype_t atl_planning_storage(const atl_model_t *model);

/* Adds what the job says: its model, images, dtypes. planning->has_decoders is set before. */
void atl_planning_set_job(atl_planning_t *planning, const atl_job_t *job, const atl_model_t *model);
/* Adds what the user fixes. */
void atl_planning_set_layout(atl_planning_t *planning, const atl_layout_options_t *options);
void atl_planning_request(const atl_planning_t *planning, atl_plan_request_t *request);
/* The plan in the file at `path`, judged by the request, or the best one when path is NULL. INPUT. */
atl_status_t atl_planning_make_plan(const char *path, const atl_plan_request_t *request, atl_plan_t *plan);

#endif
