#include "coordinator/job/tokenize.h"

#include "model/tokenizer/tokenizer.h"

typedef struct {
  const atl_tokenize_request_t *request;
  atl_arena_t *arena;
  atl_job_t *job;
  atl_tokenizer_t *text, *clip; /* clip: NULL unless the job is ranked */
} work_t;

/* Prefixes the message of a failure with the text it is about. */
static atl_status_t name_text(atl_status_t status, const char *what, const char *id) {
  if (status == ATL_OK) return ATL_OK;
  return atl_status_fail(status, __FILE__, __LINE__, __func__, "%s%s: %s", what, id, atl_status_message());
}

static atl_status_t tokenize_for_clip(const work_t *w, atl_prompt_t *prompt) {
  int32_t n = w->request->model->clip_config.context_length, *ids;
  ATL_TRY(ATL_TAKE(w->arena, n, &ids));
  ATL_TRY(
      name_text(atl_tokenizer_fill_clip(w->clip, prompt->text, w->request->truncate, ids, n), "prompt ", prompt->id));
  prompt->clip_ids = ids;
  prompt->n_clip_ids = n;
  return ATL_OK;
}

static atl_status_t tokenize_prompts(const work_t *w) {
  atl_prompts_t *prompts = w->request->prompts;
  int32_t n = w->request->model->transformer_config.text_length;
  for (int32_t i = 0; i < prompts->n; i++) {
    atl_prompt_t *prompt = &prompts->items[i];
    int32_t *ids;
    ATL_TRY(ATL_TAKE(w->arena, n, &ids));
    ATL_TRY(name_text(atl_tokenizer_fill(w->text, prompt->text, w->request->truncate, ids, n), "prompt ", prompt->id));
    prompt->ids = ids;
    prompt->n_ids = n;
    if (w->clip != NULL) ATL_TRY(tokenize_for_clip(w, prompt));
  }
  w->job->prompts = prompts->items;
  w->job->n_prompts = prompts->n;
  return ATL_OK;
}

/* Ids of the null text: the negative prompt, or T zeros, which become private pads. */
static atl_status_t tokenize_null(const work_t *w) {
  const atl_tokenize_request_t *r = w->request;
  if (!r->is_guided) return ATL_OK;
  int32_t n = r->model->transformer_config.text_length, *ids;
  ATL_TRY(ATL_TAKE(w->arena, n, &ids));
  w->job->null_ids = ids;
  w->job->n_null_ids = n;
  if (r->negative == NULL) return ATL_OK;
  return name_text(atl_tokenizer_fill(w->text, r->negative, r->truncate, ids, n), "--negative", "");
}

/* Refuses the tokenizer of another model, which may produce ids that the network has no embedding for. */
static atl_status_t check_ids(const atl_tokenizer_t *tokenizer, const char *path, const char *network,
                              int32_t n_known) {
  int32_t n_ids = atl_tokenizer_n_ids(tokenizer);
  ATL_CHECK(
      n_ids <= n_known, INPUT,
      "%s: this tokenizer has %d ids but the %s knows only %d; it belongs to another model: convert with the right one",
      path, n_ids, network, n_known);
  return ATL_OK;
}

static atl_status_t open_tokenizers(work_t *w) {
  const atl_model_t *model = w->request->model;
  ATL_CHECK(model->tokenizer_path != NULL, INPUT, "%s has no text tokenizer; convert it with --tokenizer FILE",
            model->directory);
  ATL_TRY(atl_tokenizer_open(model->tokenizer_path, &w->text));
  ATL_TRY(check_ids(w->text, model->tokenizer_path, "transformer", model->transformer_config.n_text_tokens));
  if (!w->job->is_ranked) return ATL_OK;
  ATL_TRY(atl_tokenizer_open(model->clip_tokenizer_path, &w->clip));
  return check_ids(w->clip, model->clip_tokenizer_path, "CLIP", model->clip_config.vocabulary);
}

atl_status_t atl_tokenize_job(const atl_tokenize_request_t *request, atl_arena_t *arena, atl_job_t *job) {
  work_t w = {.request = request, .arena = arena, .job = job};
  atl_status_t status = open_tokenizers(&w);
  if (status == ATL_OK) status = tokenize_prompts(&w);
  if (status == ATL_OK) status = tokenize_null(&w);
  atl_tokenizer_destroy(&w.text);
  atl_tokenizer_destroy(&w.clip);
  return status;
}
