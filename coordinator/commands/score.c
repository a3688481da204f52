/* atelier score: scores pictures against texts with CLIP, or finds the best label of each picture. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/arena.h"
#include "common/file.h"
#include "common/image.h"
#include "common/json.h"
#include "common/memory.h"
#include "common/options.h"
#include "coordinator/commands/command.h"
#include "model/clip/clip.h"
#include "model/tokenizer/tokenizer.h"

enum { IMAGES_AT_ONCE = 16, MAX_LABEL_BYTES = 64 << 20 };

typedef struct {
  const char *model, *labels;
  atl_text_list_t images, texts;
  bool json, truncate;
} settings_t;

static const atl_option_t options[] = {
    {"model", ATL_OPTION_TEXT, offsetof(settings_t, model), "DIR", NULL, "use the CLIP of the model directory DIR"},
    {"image", ATL_OPTION_TEXTS, offsetof(settings_t, images), "FILE", NULL, "score the PNG picture FILE; repeatable"},
    {"text", ATL_OPTION_TEXTS, offsetof(settings_t, texts), "TEXT", NULL, "score against TEXT; repeatable"},
    {"labels", ATL_OPTION_TEXT, offsetof(settings_t, labels), "FILE", NULL,
     "read labels from FILE, one per line, and print the best one of each picture (zero-shot classification)"},
    {"truncate", ATL_OPTION_FLAG, offsetof(settings_t, truncate), NULL, NULL,
     "cut texts that are too long instead of refusing them"},
    {"json", ATL_OPTION_FLAG, offsetof(settings_t, json), NULL, NULL,
     "print one JSON line per picture, with all scores"},
    {0}};

static const atl_usage_t usage = {
    .command = "score",
    .synopsis = "--model DIR --image FILE ... (--text TEXT ... | --labels FILE) [--json]",
    .summary = "Prints CLIP scores of pictures against texts, and their softmax over the texts of each picture.",
    .examples = "  atelier score --model weights/emoji --image heart.png --text \"red heart\" --text pizza\n"
                "  atelier score --model weights/emoji --image heart.png --labels names.txt --json",
    .options = options};

/* All memory is in the arena. scores and probabilities are (n_images, n_texts), features (n, width). */
typedef struct {
  atl_arena_t arena;
  const settings_t *settings;
  const char **texts;
  size_t n_texts, n_images, width;
  float *text_features, *image_features, *scores;
  double *probabilities;
} job_t;

/* ---- texts ---- */

/* Returns the number of non-empty lines of text. Unless lines is NULL, also cuts them in place and stores their
 * starts. */
static size_t split_lines(char *text, const char **lines) {
  size_t n = 0;
  while (*text) {
    size_t length = strcspn(text, "\n"), used = length;
    char *next = text + length + (text[length] == '\n');
    while (used > 0 && strchr(" \t\r", text[used - 1])) used--;
    if (used > 0 && lines) {
      text[used] = 0;
      lines[n] = text;
    }
    n += used > 0;
    text = next;
  }
  return n;
}

static atl_status_t take_labels(job_t *job, const char *path, char *file, size_t n_bytes) {
  char *text;
  ATL_CHECK(strlen(file) == n_bytes, INPUT, "%s: expected lines of text, found a NUL byte", path);
  ATL_TRY(atl_arena_strndup(&job->arena, file, n_bytes, &text));
  size_t n_given = (size_t)job->settings->texts.n, n_labels = split_lines(text, NULL);
  ATL_CHECK(n_labels > 0, INPUT, "%s: expected one label per line, found none", path);
  ATL_TRY(ATL_TAKE(&job->arena, n_given + n_labels, &job->texts));
  memcpy(job->texts, job->settings->texts.items, n_given * sizeof *job->texts);
  job->n_texts = n_given + split_lines(text, job->texts + n_given);
  return ATL_OK;
}

static atl_status_t load_texts(job_t *job) {
  const settings_t *settings = job->settings;
  if (!settings->labels) {
    job->n_texts = (size_t)settings->texts.n;
    ATL_TRY(ATL_TAKE(&job->arena, job->n_texts, &job->texts));
    memcpy(job->texts, settings->texts.items, job->n_texts * sizeof *job->texts);
    return ATL_OK;
  }
  char *file;
  size_t n_bytes;
  ATL_TRY(atl_file_read(settings->labels, MAX_LABEL_BYTES, &file, &n_bytes));
  atl_status_t status = take_labels(job, settings->labels, file, n_bytes);
  ATL_DESTROY(&file);
  return status;
}

static atl_status_t encode_texts(job_t *job, atl_clip_t *clip, atl_tokenizer_t *tokenizer, int32_t context) {
  int32_t *ids;
  ATL_TRY(ATL_TAKE(&job->arena, context, &ids));
  ATL_TRY(ATL_TAKE(&job->arena, job->n_texts * job->width, &job->text_features));
  for (size_t i = 0; i < job->n_texts; i++) {
    ATL_TRY(atl_tokenizer_fill_clip(tokenizer, job->texts[i], job->settings->truncate, ids, context));
    ATL_TRY(atl_clip_text_features(clip, job->text_features + i * job->width, ids, 1));
  }
  return ATL_OK;
}

/* ---- pictures ---- */

static atl_status_t load_image(atl_clip_t *clip, const char *path, float *out) {
  atl_image_t image;
  ATL_TRY(atl_image_load(path, &image));
  atl_image_drop_alpha(&image);
  atl_status_t status = atl_clip_preprocess(clip, out, image.pixels, image.height, image.width);
  atl_image_clear(&image);
  return status;
}

static atl_status_t encode_images(job_t *job, atl_clip_t *clip, int32_t size) {
  size_t n_items = 3 * (size_t)size * (size_t)size;
  float *images;
  ATL_TRY(ATL_TAKE(&job->arena, IMAGES_AT_ONCE * n_items, &images));
  ATL_TRY(ATL_TAKE(&job->arena, job->n_images * job->width, &job->image_features));
  for (size_t first = 0; first < job->n_images; first += IMAGES_AT_ONCE) {
    size_t rest = job->n_images - first, n = rest < IMAGES_AT_ONCE ? rest : IMAGES_AT_ONCE;
    for (size_t i = 0; i < n; i++)
      ATL_TRY(load_image(clip, job->settings->images.items[first + i], images + i * n_items));
    atl_clip_image_features(clip, job->image_features + first * job->width, images, (int32_t)n);
  }
  return ATL_OK;
}

static void softmax(double *probabilities, const float *scores, size_t n) {
  double best = (double)scores[0], sum = 0;
  for (size_t i = 1; i < n; i++) best = fmax(best, (double)scores[i]);
  for (size_t i = 0; i < n; i++) sum += probabilities[i] = exp((double)scores[i] - best);
  for (size_t i = 0; i < n; i++) probabilities[i] /= sum;
}

static atl_status_t score_all(job_t *job, const atl_clip_t *clip) {
  ATL_TRY(ATL_TAKE(&job->arena, job->n_images * job->n_texts, &job->scores));
  ATL_TRY(ATL_TAKE(&job->arena, job->n_images * job->n_texts, &job->probabilities));
  for (size_t i = 0; i < job->n_images; i++) {
    for (size_t j = 0; j < job->n_texts; j++)
      job->scores[i * job->n_texts + j] =
          atl_clip_score(clip, job->image_features + i * job->width, job->text_features + j * job->width);
    softmax(job->probabilities + i * job->n_texts, job->scores + i * job->n_texts, job->n_texts);
  }
  return ATL_OK;
}

/* ---- printing ---- */

static size_t best_text(const job_t *job, size_t i_image) {
  const float *scores = job->scores + i_image * job->n_texts;
  size_t best = 0;
  for (size_t j = 1; j < job->n_texts; j++)
    if (scores[j] > scores[best]) best = j;
  return best;
}

static atl_status_t print_json(const job_t *job, size_t i_image) {
  json_t *list = json_array(), *line = NULL;
  for (size_t j = 0; j < job->n_texts; j++) {
    size_t at = i_image * job->n_texts + j;
    json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "text", job->texts[j], "score", (double)job->scores[at],
                                          "probability", job->probabilities[at]));
  }
  if (list)
    line = json_pack("{s:s, s:s, s:o}", "image", job->settings->images.items[i_image], "best",
                     job->texts[best_text(job, i_image)], "scores", list);
  ATL_CHECK(line, INPUT, "%s: the file's name is not UTF-8, or there is no memory for its line",
            job->settings->images.items[i_image]);
  int result = json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(line);
  ATL_CHECK(result == 0 && putchar('\n') != EOF, IO, "standard output cannot be written");
  return ATL_OK;
}

/* Prints one row per text of a picture, or with --labels only its best text. */
static void print_rows(const job_t *job, size_t i_image, int name_width) {
  size_t best = best_text(job, i_image);
  for (size_t j = 0; j < job->n_texts; j++) {
    size_t at = i_image * job->n_texts + j;
    if (job->settings->labels && j != best) continue;
    printf("%-*s  %8.4f  %10.2f%%  %s\n", name_width, job->settings->images.items[i_image], (double)job->scores[at],
           job->probabilities[at] * 100, job->texts[j]);
  }
}

static atl_status_t print_all(const job_t *job) {
  int name_width = 5;
  for (size_t i = 0; i < job->n_images; i++) {
    int length = (int)strlen(job->settings->images.items[i]);
    if (length > name_width) name_width = length;
  }
  if (!job->settings->json) printf("%-*s  %8s  %11s  %s\n", name_width, "image", "score", "probability", "text");
  for (size_t i = 0; i < job->n_images; i++) {
    if (!job->settings->json)
      print_rows(job, i, name_width);
    else
      ATL_TRY(print_json(job, i));
  }
  ATL_CHECK(fflush(stdout) == 0, IO, "standard output cannot be written");
  return ATL_OK;
}

/* ---- the command ---- */

static atl_status_t run_job(job_t *job, const atl_model_t *model, atl_clip_t *clip, atl_tokenizer_t *tokenizer) {
  job->width = (size_t)model->clip_config.embedding_width;
  job->n_images = (size_t)job->settings->images.n;
  ATL_TRY(load_texts(job));
  ATL_TRY(encode_texts(job, clip, tokenizer, model->clip_config.context_length));
  ATL_TRY(encode_images(job, clip, model->clip_config.image_size));
  ATL_TRY(score_all(job, clip));
  return print_all(job);
}

static atl_status_t run_model(const settings_t *settings, const atl_model_t *model) {
  atl_tokenizer_t *tokenizer = NULL;
  atl_clip_t *clip = NULL;
  job_t job = {.settings = settings};
  ATL_CHECK(model->has_clip && model->clip_tokenizer_path, INPUT,
            "%s: expected a CLIP with its tokenizer, found %s; convert with --clip and --clip-tokenizer",
            settings->model, model->has_clip ? "no CLIP tokenizer" : "no CLIP");
  atl_status_t status = atl_tokenizer_open(model->clip_tokenizer_path, &tokenizer);
  if (status == ATL_OK) status = atl_clip_new(model, ATL_F32, &clip);
  if (status == ATL_OK) status = run_job(&job, model, clip, tokenizer);
  atl_arena_clear(&job.arena);
  atl_clip_destroy(&clip);
  atl_tokenizer_destroy(&tokenizer);
  return status;
}

static atl_status_t run(const void *context, const atl_text_list_t *operands) {
  (void)operands;
  const settings_t *settings = context;
  ATL_CHECK(settings->model, USAGE, "expected --model DIR; see atelier score --help");
  ATL_CHECK(settings->images.n > 0, USAGE, "expected at least one --image FILE; see atelier score --help");
  ATL_CHECK(settings->texts.n > 0 || settings->labels, USAGE,
            "expected --text TEXT or --labels FILE; see atelier score --help");
  atl_model_t *model;
  ATL_TRY(atl_model_open(settings->model, &model));
  atl_status_t status = run_model(settings, model);
  atl_model_destroy(&model);
  return status;
}

atl_status_t atl_command_score(int argc, char **argv) {
  return atl_command_run(&usage, argc, argv, sizeof(settings_t), run);
}
