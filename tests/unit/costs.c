// TEST np=1
/* Costs are measured once and cached; a bad cache never makes a run fail. The tests do not check how long anything
 * takes.
 */
#include "coordinator/plan/costs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"
#include "tests/support/random_model.h"
#include "tests/support/tap.h"

static const char folder[] = "build/costs.test/atelier", file[] = "build/costs.test/atelier/costs.json";
static const char key_of_model[] = "a model, a \"processor\", 1 threads";

static void write_file(const char *text) {
  atl_file_make_directory(folder);
  atl_file_write(file, text, strlen(text));
}

static void test_file(void) {
  const atl_calibration_t put = {1, 0.5, 2, 1e-9, 3, 4, 5, 6, 7};
  atl_calibration_t got;
  atl_file_remove_directory(folder);
  TAP_OK(!atl_costs_get(file, key_of_model, &got), "without a cache file no costs are found");
  TAP_STATUS(ATL_OK, atl_costs_put(file, key_of_model, &put), "costs are stored in a new folder");
  TAP_OK(atl_costs_get(file, key_of_model, &got) && memcmp(&put, &got, sizeof got) == 0,
         "stored costs are read back bit for bit");
  TAP_OK(!atl_costs_get(file, "another", &got), "another model's costs are not found");
  TAP_STATUS(ATL_OK, atl_costs_put(file, "another", &(atl_calibration_t){.layer = 9}), "a second entry is stored");
  TAP_OK(atl_costs_get(file, key_of_model, &got) && got.layer == 1, "a second entry leaves the first unchanged");
}

static void test_damage(void) {
  static const char *const texts[] = {
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
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    write_file(texts[i]);
    TAP_OK(!atl_costs_get(file, key_of_model, &got), "a damaged cache is ignored");
    TAP_STATUS(ATL_OK, atl_costs_put(file, key_of_model, &(atl_calibration_t){.layer = 2}),
               "a damaged cache is replaced");
    TAP_OK(atl_costs_get(file, key_of_model, &got) && got.layer == 2, "a replaced cache has the new costs");
  }
}

/* Four jobs store eight entries each at the same time; none may be lost. */
static void test_jobs(void) {
  enum { N_JOBS = 4, N_ENTRIES = 8 };
  pid_t jobs[N_JOBS];
  int n_found = 0;
  char key[32];
  atl_calibration_t got;
  atl_file_remove_directory(folder);
  for (int job = 0; job < N_JOBS; job++) {
    jobs[job] = fork();
    if (jobs[job] != 0) continue;
    for (int i = 0; i < N_ENTRIES; i++) {
      snprintf(key, sizeof key, "%d of job %d", i, job);
      if (atl_costs_put(file, key, &(atl_calibration_t){.layer = 1}) != ATL_OK) _exit(1);
    }
    _exit(0);
  }
  for (int job = 0; job < N_JOBS; job++) waitpid(jobs[job], NULL, 0);
  for (int job = 0; job < N_JOBS; job++)
    for (int i = 0; i < N_ENTRIES; i++) {
      snprintf(key, sizeof key, "%d of job %d", i, job);
      n_found += atl_costs_get(file, key, &got);
    }
  TAP_OK(n_found == N_JOBS * N_ENTRIES, "entries stored by several jobs at the same time are all kept");
}

static void test_path(void) {
  atl_arena_t arena = {0};
  char *path;
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  TAP_STATUS(ATL_OK, atl_costs_path(&arena, &path), "the cache's path follows XDG_CACHE_HOME");
  TAP_OK(strcmp(path, "/somewhere/atelier/costs.json") == 0, path);
  setenv("XDG_CACHE_HOME", "relative", 1); /* ignored, as the XDG specification demands */
  setenv("HOME", "/home/me", 1);
  TAP_STATUS(ATL_OK, atl_costs_path(&arena, &path), "with a relative XDG_CACHE_HOME the cache's path follows HOME");
  TAP_OK(strcmp(path, "/home/me/.cache/atelier/costs.json") == 0, path);
  unsetenv("HOME");
  TAP_STATUS(ATL_OK, atl_costs_path(&arena, &path), "a missing HOME is not an error");
  TAP_OK(path == NULL || path[0] == '/', "without HOME the cache is not in the current folder");
  setenv("HOME", "/home/me", 1);
  atl_arena_clear(&arena);
}

/* ---- measuring ---- */

static bool is_near(double a, double b) { return fabs(a - b) <= 1e-8 * b; } /* the file keeps nine digits */

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
  TAP_OK(realpath("build/costs.test", cache) != NULL, "the test's own cache folder exists");
  setenv("XDG_CACHE_HOME", cache, 1);
  atl_file_remove_directory(folder);
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &subject, &request, &is_known), "looking up an empty cache succeeds");
  TAP_OK(!is_known && !request.costs.is_measured && request.costs.layer == 1e-9,
         "an empty cache leaves the estimate unchanged");
  TAP_OK(!atl_costs_should_measure(&request), "a short job should not measure");
  request.costs.layer = 10;
  TAP_OK(atl_costs_should_measure(&request), "a long job should measure");
  int n_meetings = 0;
  const atl_sync_group_t group = {.index = 3, .barrier = count, .context = &n_meetings};
  TAP_STATUS(ATL_OK, atl_calibrator_new(model, &subject.spec, &calibrator), "a calibrator is created");
  TAP_STATUS(ATL_OK, atl_calibrator_run(calibrator, &group, &calibration), "a calibrator measures a model");
  atl_calibrator_destroy(&calibrator);
  TAP_OK(n_meetings >= 2, "a calibrator waits at the barrier of its group");
  TAP_STATUS(ATL_OK, atl_costs_store(model, &subject, &calibration, &request), "measured costs are stored");
  const atl_costs_t *c = &request.costs;
  TAP_OK(c->is_measured && c->layer > 0 && c->layer < 10 && c->head > 0 && c->draw > 0 && c->prefill_row > 0,
         "measured costs are positive");
  TAP_OK(c->layer_fixed >= 0 && c->layer_fixed <= c->layer && c->head_fixed <= c->head && c->decode == 0,
         "measured parts do not exceed the whole, and decoding was not measured");
  TAP_OK(c->hop == 0.25 && c->microbatch == 8 && request.cache_per_rank == 0, "the estimate of the hop is kept");
  atl_plan_request_t again = make_request();
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &subject, &again, &is_known), "the next run looks up its costs");
  TAP_OK(is_known && again.costs.is_measured && is_near(again.costs.layer, c->layer) &&
             is_near(again.costs.head, c->head) && is_near(again.costs.layer_fixed, c->layer_fixed) &&
             is_near(again.costs.prefill_row, c->prefill_row) && is_near(again.costs.draw, c->draw),
         "the next run finds the stored costs");
  atl_costs_subject_t other = subject;
  other.spec.microbatch = 4;
  again = make_request();
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &other, &again, &is_known), "another microbatch looks up its costs");
  TAP_OK(!is_known && !again.costs.is_measured, "another microbatch needs its own measurement");
  other = subject;
  other.n_ranks = 1;
  TAP_STATUS(ATL_OK, atl_costs_lookup(model, &other, &again, &is_known), "a single rank looks up its costs");
  TAP_OK(!is_known && !again.costs.is_measured, "another number of ranks needs its own measurement");
  setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
  TAP_STATUS(ATL_OK, atl_costs_store(model, &subject, &calibration, &again),
             "a cache that cannot be written is not an error");
  TAP_OK(again.costs.is_measured, "costs that could not be stored are used");
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
  TAP_STATUS(ATL_OK, random_model_init(&random, &config, "build/costs.test.safetensors", 1),
             "a random model is created");
  strcpy(random.model.digest, "0123456789abcdef");
  test_measuring(&random.model);
  random_model_clear(&random);
  atl_file_remove_directory(folder);
  rmdir("build/costs.test");
  TAP_OK(atl_memory_in_use_bytes() == 0, "nothing leaks");
  return tap_done();
}
