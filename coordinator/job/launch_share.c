/* Brings rank 0's job and plan to every rank. Each step ends with an agreement. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/job/launch_private.h"
#include "coordinator/plan/measuring.h"

atl_status_t atl_launch_share_job(atl_launch_t *l, char **bytes, size_t *n_bytes) {
  atl_status_t status = ATL_OK;
  if (l->is_root) {
    status = l->task->prepare(l->task->context, atl_comm_size(l->world), &l->host, &l->job, &l->model);
    if (status == ATL_OK) status = atl_wire_pack_job(&l->job, bytes, n_bytes);
  }
  ATL_TRY(atl_comm_agree(l->world, status));
  return atl_comm_broadcast(l->world, 0, bytes, n_bytes);
}

/* Checks what unpacking cannot: the job's sizes against the model's. */
atl_status_t atl_launch_check_job(const atl_launch_t *l) {
  const atl_transformer_config_t *config = &l->model->transformer_config;
  const atl_job_t *job = &l->job;
  ATL_CHECK(l->model->has_transformer, INPUT, "%s has no transformer; convert a DALLE checkpoint", job->model);
  for (int32_t i = 0; i < job->n_prompts; i++) {
    const atl_prompt_t *prompt = &job->prompts[i];
    ATL_CHECK(prompt->n_ids == config->text_length, INPUT, "prompt %s has %d token ids, the model takes %d", prompt->id,
              prompt->n_ids, config->text_length);
    ATL_CHECK(!job->is_ranked || prompt->n_clip_ids == l->model->clip_config.context_length, INPUT,
              "prompt %s has %d token ids for CLIP, which takes %d", prompt->id, prompt->n_clip_ids,
              l->model->clip_config.context_length);
  }
  ATL_CHECK(job->n_null_ids == 0 || job->n_null_ids == config->text_length, INPUT,
            "the null text has %d token ids, the model takes %d", job->n_null_ids, config->text_length);
  ATL_CHECK(job->n_prime < atl_config_image_length(config), INPUT,
            "%d primed tokens leave none of the picture's %d to draw", job->n_prime, atl_config_image_length(config));
  return ATL_OK;
}

atl_status_t atl_launch_open_job(atl_launch_t *l, const char *bytes, size_t n_bytes) {
  ATL_TRY(atl_wire_unpack_job(bytes, n_bytes, &l->arena, &l->job));
  if (!l->is_root) ATL_TRY(atl_model_open(l->job.model, &l->model)); /* rank 0 opened it in prepare */
  ATL_CHECK(l->job.backend <= ATL_BACKEND_ONEDNN, INPUT, "the job asks for kernels number %d, which this program lacks",
            l->job.backend);
  return ATL_OK;
}

/* Makes the plan, and its JSON text for the other ranks in the arena. */
static atl_status_t make_plan(atl_launch_t *l, const atl_calibration_t *measured, char **text, size_t *n_bytes) {
  json_t *object;
  ATL_TRY(l->task->make_plan(l->task->context, measured, &l->plan));
  ATL_TRY(atl_plan_to_json(&l->plan, &object));
  char *dump = json_dumps(object, JSON_COMPACT);
  json_decref(object);
  ATL_CHECK(dump != NULL, MEMORY, "too little memory for the plan's text");
  atl_status_t status = atl_arena_printf(&l->arena, text, "%s", dump);
  *n_bytes = strlen(dump);
  free(dump);
  return status;
}

static atl_status_t parse_plan(const char *text, size_t n_bytes, atl_plan_t *plan) {
  json_t *object;
  ATL_TRY(atl_json_parse(text, n_bytes, "the plan", &object));
  atl_status_t status = atl_plan_from_json(object, "the plan", NULL, plan);
  json_decref(object);
  return status;
}

static atl_status_t check_plan(const atl_launch_t *l) {
  ATL_CHECK(l->plan.n_ranks == atl_comm_size(l->world), INPUT, "the plan is for %d ranks, but there are %d",
            l->plan.n_ranks, atl_comm_size(l->world));
  return ATL_OK;
}

atl_status_t atl_launch_share_plan(atl_launch_t *l) {
  atl_calibration_t calibration, *measured = NULL;
  char *text = NULL;
  size_t n_bytes = 0;
  if (l->job.measured_microbatch > 0) {
    atl_calibration_spec_t spec = atl_measuring_spec(&l->job, l->job.measured_microbatch);
    ATL_TRY(atl_measuring_run(l->world, &l->host, l->model, &spec, &calibration));
    measured = &calibration;
  }
  ATL_TRY(atl_comm_agree(l->world, l->is_root ? make_plan(l, measured, &text, &n_bytes) : ATL_OK));
  ATL_TRY(atl_comm_broadcast(l->world, 0, &text, &n_bytes));
  atl_status_t status = ATL_OK;
  if (!l->is_root) {
    status = parse_plan(text, n_bytes, &l->plan);
    ATL_DESTROY(&text);
  }
  if (status == ATL_OK) status = check_plan(l);
  return atl_comm_agree(l->world, status);
}
