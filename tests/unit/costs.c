// TEST np=1
/* Costs are measured once, remembered, and never a reason to fail. How long anything takes is not judged. */
#include "coordinator/plan/costs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"
#include "tests/support/random_model.h"
#include "tests/support/tap.h"

static const char the_folder[] = "build/costs.test/atelier", the_file[] = "build/costs.test/atelier/costs.json";
static const char the_key[] = "a model, a \"processor\", 1 threads";

static void write_file(const char *text) {
  atl_file_make_directory(the_folder);
  atl_file_write(the_file, text, strlen(text));
}

static void test_file(void) {
  const atl_calibration_t put = {1, 0.5, 2, 1e-9, 3, 4, 5, 6, 7};
  atl_calibration_t got;
  atl_file_remove_directory(the_folder);
  TAP_OK(!atl_costs_get(the_file, the_key, &got), "no file, no costs");
  TAP_STATUS(ATL_OK, atl_costs_put(the_file, the_key, &put), "costs are put into a new folder");
  TAP_OK(atl_costs_get(the_file, the_key, &got) && memcmp(&put, &got, sizeof got) == 0, "and got back, bit for bit");
  TAP_OK(!atl_costs_get(the_file, "another", &got), "another model has none");
  TAP_STATUS(ATL_OK, atl_costs_put(the_file, "another", &(atl_calibration_t){.layer = 9}), "a second entry");
  TAP_OK(atl_costs_get(the_file, the_key, &got) && got.layer == 1, "leaves the first as it is");
}

static void test_damage(void) {
  static const char *const the_texts[] = {
      "",
      "{",
      "[1]",
      "{\"a model, a \\\"processor\\\", 1 threads\": 3}",
      "\xff\xfe",
      "{\"a model, a \\\"processor\\\", 1 threads\": {\"layer\": 1}}",
      ("{\"a model, a \\\"processor\\\", 1 threads\": {\"layer\": -1, \"layer_fixed\": 0, \"head\": 0, \"head_fixed\": "
       "0, \"embed\": 0, \"draw\": 0, \"prefill_row\": 0, \"decode\": 0, \"score\": 0}}"),
      ("{\"a model, a \\\"processor\\\", 1 threads\": {\"layer\": 1e-300, \"layer_fixed\": 0, \"head\": 0, "
       "\"head_fixed\": 0, \"embed\": 0, \"draw\": 0, \"prefill_row\": 0, \"decode\": 0, \"score\": 0}}"),
      ("{\"a model, a \\\"processor\\\", 1 threads\": {\"layer\": 1, \"layer_fixed\": 0, \"head\": 1e308, "
       "\"head_fixed\": 0, \"embed\": 0, \"draw\": 0, \"prefill_row\": 0, \"decode\": 0, \"score\": 0}}")};
  atl_calibration_t got;
  for (size_t i = 0; i < sizeof the_texts / sizeof *the_texts; i++) {
    write_file(the_texts[i]);
    TAP_OK(!atl_costs_get(the_file, the_key, &got), "a damaged cache is ignored");
    TAP_STATUS(ATL_OK, atl_costs_put(the_file, the_key, &(atl_calibration_t){.layer = 2}), "and replaced");
    TAP_OK(atl_costs_get(the_file, the_key, &got) && got.layer == 2, "by what is measured next");
  }
}

/* Four jobs put eight entries each, at once: none is lost. */
static void test_jobs(void) {
  enum { N_JOBS = 4, N_ENTRIES = 8 };
  pid_t jobs[N_JOBS];
  int n_found = 0;
  char key[32];
  atl_calibration_t got;
  atl_file_remove_directory(the_folder);
  for (int job = 0; job < N_JOBS; job++) {
    jobs[job] = fork();
    if (jobs[job] != 0) continue;
    for (int i = 0; i < N_ENTRIES; i++) {
      snprintf(key, sizeof key, "%d of job %d", i, job);
      if (atl_costs_put(the_file, key, &(atl_calibration_t){.layer = 1}) != ATL_OK) _exit(1);
    }
    _exit(0);
  }
  for (int job = 0; job < N_JOBS; job++) waitpid(jobs[job], NULL, 0);
  for (int job = 0; job < N_JOBS; job++)
    for (int i = 0; i < N_ENTRIES; i++) {
      snprintf(key, sizeof key, "%d of job %d", i, job);
      n_found += atl_costs_get(the_file, key, &got);
    }
  TAP_OK(n_found == N_JOBS * N_ENTRIES, "what jobs put at the same time is all there");
}

static void test_path(void) {
  atl_arena_t arena = {0};
  char *path;
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  TAP_STATUS(ATL_OK, atl_costs_path(&arena, &path), "XDG_CACHE_HOME");
  TAP_OK(strcmp(path, "/somewhere/atelier/costs.json") == 0, path);
  setenv("XDG_CACHE_HOME", "relative", 1); /* the specification: ignored */
  setenv("HOME", "/home/me", 1);
  TAP_STATUS(ATL_OK, atl_costs_path(&arena, &path), "HOME");
  TAP_OK(strcmp(path, "/home/me/.cache/atelier/costs.json") == 0, path);
  unsetenv("HOME");
  TAP_STATUS(ATL_OK, atl_costs_path(&arena, &path), "no HOME");
  TAP_OK(path == NULL || path[0] == '/', "never gives a file of the current folder");
  setenv("HOME", "/home/me", 1);
  atl_arena_clear(&arena);
}

/* ---- measuring ---- */

static bool is_near(double a, double b) { return fabs(a - b) <= 1e-8 * b; } /* the file has nine digits */

static atl_plan_request_t make_request(void) {
  return (atl_plan_request_t){.n_ranks = 2,
                              .n_layers = 3,
                              .n_drawn = 36,
                              .text_length = 5,
                              .n_images = 64,
                              .n_prompts = 1,
                              .cache_per_rank = 1 << 20,
                              .costs = {.microbatch = 8, .layer = 1e-9, .prefill_row = 1e-12, .hop = 0.25}};
}

static void count(void *n) { ++*(int *)n; }

static void test_measuring(const atl_model_t *model) {
  atl_costs_subject_t subject = {
      .spec = {.microbatch = 8, .n_streams = 2, .dtype = ATL_F32, .kv = ATL_F32, .backend = ATL_BACKEND_AUTO},
      .n_ranks = 2};
  atl_plan_request_t request = make_request();
  atl_calibration_t calibration;
  atl_calibrator_t *calibrator;
  bool is_known;
  char cache[4096];
  TAP_OK(realpath("build/costs.test", cache) != NULL, "a cache of the test's own");
  setenv("XDG_CACHE_HOME", cache, 1);
  atl_file_remove_directory(the_folder);
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &subject, &request, &is_known), "nothing is known");
  TAP_OK(!is_known && !request.costs.is_measured && request.costs.layer == 1e-9, "so the estimate stays");
  TAP_OK(!atl_costs_should_measure(&request), "a short job is not worth a measurement");
  request.costs.layer = 10;
  TAP_OK(atl_costs_should_measure(&request), "a long one is");
  int n_meetings = 0;
  const atl_sync_group_t group = {.index = 3, .barrier = count, .context = &n_meetings};
  TAP_STATUS(ATL_OK, atl_calibrator_new(model, &subject.spec, &calibrator), "a model to measure");
  TAP_STATUS(ATL_OK, atl_calibrator_run(calibrator, &group, &calibration), "is measured");
  atl_calibrator_destroy(&calibrator);
  TAP_OK(n_meetings >= 2, "with others that do the same");
  TAP_STATUS(ATL_OK, atl_costs_store(model, &subject, &calibration, &request), "and remembered");
  const atl_costs_t *c = &request.costs;
  TAP_OK(c->is_measured && c->layer > 0 && c->layer < 10 && c->head > 0 && c->draw > 0 && c->prefill_row > 0,
         "it has seconds");
  TAP_OK(c->layer_fixed >= 0 && c->layer_fixed <= c->layer && c->head_fixed <= c->head && c->decode == 0,
         "the parts fit the whole, and what was not asked for is not there");
  TAP_OK(c->hop == 0.25 && c->microbatch == 8 && request.cache_per_rank == 0, "the hop's estimate stays");
  atl_plan_request_t again = make_request();
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &subject, &again, &is_known), "the next run");
  TAP_OK(is_known && again.costs.is_measured && is_near(again.costs.layer, c->layer) &&
             is_near(again.costs.head, c->head) && is_near(again.costs.layer_fixed, c->layer_fixed) &&
             is_near(again.costs.prefill_row, c->prefill_row) && is_near(again.costs.draw, c->draw),
         "knows it");
  atl_costs_subject_t other = subject;
  other.spec.microbatch = 4;
  again = make_request();
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &other, &again, &is_known), "another microbatch");
  TAP_OK(!is_known && !again.costs.is_measured, "is another measurement");
  other = subject;
  other.n_ranks = 1;
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &other, &again, &is_known), "a rank alone");
  TAP_OK(!is_known && !again.costs.is_measured, "is too");
  setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
  TAP_STATUS(ATL_OK, atl_costs_store(model, &subject, &calibration, &again), "a cache that cannot be written");
  TAP_OK(again.costs.is_measured, "is no failure");
}

int main(void) {
  mkdir("build/costs.test", 0777);
  test_file();
  test_damage();
  test_jobs();
  test_path();
  const atl_transformer_config_t config = {.width = 32,
                                           .n_layers = 3,
                                           .n_heads = 2,
                                           .head_size = 16,
                                           .text_length = 5,
                                           .image_side = 6,
                                           .n_text_tokens = 50,
                                           .n_image_tokens = 37,
                                           .attention = {0, 1, 2},
                                           .attention_owner = {0, 1, 2},
                                           .feed_forward_owner = {0, 1, 2}};
  random_model_t random;
  TAP_STATUS(ATL_OK, random_model_init(&random, &config, "build/costs.test.safetensors", 1), "a random model");
  strcpy(random.model.digest, "0123456789abcdef");
  test_measuring(&random.model);
  random_model_clear(&random);
  atl_file_remove_directory(the_folder);
  rmdir("build/costs.test");
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
