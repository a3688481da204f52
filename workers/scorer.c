#include "workers/scorer.h"

#include "model/clip/clip.h"

struct atl_scorer {
  const atl_job_t *job;
  atl_clip_t *clip;
  size_t width;          /* E */
  float *image;          /* (3, n, n): the preprocessed picture */
  float *image_features; /* (E) */
  float **text_features; /* (n_prompts) arrays (E), NULL until first used */
};

static atl_status_t init(atl_scorer_t *s, const atl_model_t *model) {
  size_t size = (size_t)model->clip_config.image_size;
  s->width = (size_t)model->clip_config.embedding_width;
  ATL_TRY(atl_clip_new(model, s->job->dtype, &s->clip));
  ATL_TRY(ATL_NEW(3 * size * size, &s->image));
  ATL_TRY(ATL_NEW(s->width, &s->image_features));
  return ATL_NEW(s->job->n_prompts, &s->text_features);
}

atl_status_t atl_scorer_new(const atl_job_t *job, const atl_model_t *model, atl_scorer_t **scorer) {
  *scorer = NULL;
  ATL_TRY(ATL_NEW(1, scorer));
  (*scorer)->job = job;
  atl_status_t status = init(*scorer, model);
  if (status != ATL_OK) atl_scorer_destroy(scorer);
  return status;
}

void atl_scorer_destroy(atl_scorer_t **scorer) {
  if (*scorer == NULL) return;
  atl_scorer_t *s = *scorer;
  for (int32_t i = 0; s->text_features != NULL && i < s->job->n_prompts; i++) ATL_DESTROY(&s->text_features[i]);
  ATL_DESTROY(&s->text_features);
  ATL_DESTROY(&s->image_features);
  ATL_DESTROY(&s->image);
  atl_clip_destroy(&s->clip);
  ATL_DESTROY(scorer);
}

static atl_status_t get_text_features(atl_scorer_t *s, int32_t prompt, const float **features) {
  float **kept = &s->text_features[prompt];
  if (*kept == NULL) {
    ATL_TRY(ATL_NEW(s->width, kept));
    ATL_TRY(atl_clip_text_features(s->clip, *kept, s->job->prompts[prompt].clip_ids, 1));
  }
  *features = *kept;
  return ATL_OK;
}

atl_status_t atl_scorer_run(atl_scorer_t *s, int32_t prompt, const uint8_t *rgb, int32_t height, int32_t width,
                            float *score) {
  const float *text = NULL;
  ATL_TRY(get_text_features(s, prompt, &text));
  ATL_TRY(atl_clip_preprocess(s->clip, s->image, rgb, height, width));
  atl_clip_image_features(s->clip, s->image_features, s->image, 1);
  *score = atl_clip_score(s->clip, s->image_features, text);
  return ATL_OK;
}
