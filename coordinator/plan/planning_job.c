/* Planning for a job: shared by the commands that plan a job, its layout options, or a plan file. */
#include "coordinator/plan/planning.h"

void atl_planning_set_job(atl_planning_t *planning, const atl_job_t *job, const atl_model_t *model) {
  planning->transformer = &model->transformer_config;
  planning->vae = planning->has_decoders ? &model->vae_config : NULL;
  planning->clip = job->is_ranked ? &model->clip_config : NULL;
  planning->storage = atl_planning_storage(model);
  planning->dtype = job->dtype;
  planning->kv = job->kv;
  planning->is_guided = job->n_null_ids > 0;
  planning->n_prime = job->n_prime;
  planning->n_prompts = job->n_prompts;
  for (int32_t i = 0; i < job->n_prompts; i++) planning->n_images += job->prompts[i].n_samples;
}

void atl_planning_set_layout(atl_planning_t *planning, const atl_layout_options_t *options) {
  planning->n_stages = (int32_t)options->stages;
  planning->n_pipelines = (int32_t)options->pipelines;
  planning->n_decoders = (int32_t)options->decoders;
  planning->n_slots = (int32_t)options->slots;
  planning->microbatch = (int32_t)options->microbatch;
}

atl_status_t atl_planning_make_plan(const char *path, const atl_plan_request_t *request, atl_plan_t *plan) {
  if (path == NULL) return atl_plan_make(request, plan);
  json_t *object;
  ATL_TRY(atl_json_load(path, &object));
  atl_status_t status = atl_plan_from_json(object, path, request, plan);
  json_decref(object);
  return status;
}
