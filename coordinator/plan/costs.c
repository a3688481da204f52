#include "coordinator/plan/costs.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/timer.h"
#include "model/kernels/cpu.h"

/* Measuring pays off when the job takes at least this many times as long. */
static const double min_payoff_ratio = 10;
static const double load_seconds = 0.2; /* to read and pack the weights that are measured, at least */
static const double min_layer_seconds = 1e-9,
                    max_seconds = 1e5; /* bounds: a layer takes at least the one, nothing takes more than the other */

typedef struct {
  const char *name;
  size_t offset;
} field_t;

#define FIELD(name)                                                                                                    \
  { #name, offsetof(atl_calibration_t, name) }
static const field_t fields[] = {FIELD(layer), FIELD(layer_fixed), FIELD(head),   FIELD(head_fixed), FIELD(embed),
                                 FIELD(draw),  FIELD(prefill_row), FIELD(decode), FIELD(score)};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static double *field_of(atl_calibration_t *c, int i) { return (double *)(void *)((char *)c + fields[i].offset); }

/* ---- the file ---- */

atl_status_t atl_costs_path(atl_arena_t *arena, char **path) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (cache != NULL && cache[0] == '/') return atl_arena_printf(arena, path, "%s/atelier/costs.json", cache);
  const struct passwd *user = home != NULL && home[0] == '/' ? NULL : getpwuid(getuid());
  if (user != NULL) home = user->pw_dir;
  *path = NULL;
  if (home == NULL || home[0] != '/') return ATL_OK;
  return atl_arena_printf(arena, path, "%s/.cache/atelier/costs.json", home);
}

/* The file's JSON object; an empty one when there is no file or it is damaged. */
static json_t *load(const char *path) {
  json_t *root = NULL;
  if (!atl_file_exists(path)) return json_object();
  if (atl_json_load(path, &root) == ATL_OK && json_is_object(root)) return root;
  ATL_LOG(WARN, "%s is not a costs file and is ignored; the next measurement replaces it", path);
  json_decref(root);
  return json_object();
}

bool atl_costs_get(const char *path, const char *key, atl_calibration_t *calibration) {
  json_t *root = load(path), *entry = json_object_get(root, key);
  bool is_whole = json_is_object(entry);
  for (int i = 0; i < N_FIELDS && is_whole; i++) {
    const json_t *value = json_object_get(entry, fields[i].name);
    double seconds = json_number_value(value);
    is_whole = json_is_number(value) && seconds >= 0 && seconds <= max_seconds;
    *field_of(calibration, i) = seconds;
  }
  is_whole = is_whole && calibration->layer >= min_layer_seconds;
  if (json_is_object(entry) && !is_whole)
    ATL_LOG(WARN, "%s: the costs under '%s' are not valid seconds; the entry is ignored", path, key);
  json_decref(root);
  return is_whole;
}

/* Locks the costs file while it is read and rewritten. Returns -1 if the lock cannot be had within two seconds, or on
 * file systems without flock: then an entry of another job may be lost, and is measured again. */
static int lock(const char *folder) {
  char path[4096 + 16];
  snprintf(path, sizeof path, "%s/costs.lock", folder);
  int descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (descriptor < 0) return -1;
  for (int i = 0; i < 100; i++) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
    if (errno != EWOULDBLOCK) break;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  }
  close(descriptor);
  return -1;
}

static atl_status_t put_entry(const char *path, const char *key, const atl_calibration_t *calibration) {
  atl_calibration_t copy = *calibration;
  json_t *root = load(path), *entry = json_object();
  for (int i = 0; i < N_FIELDS; i++) json_object_set_new(entry, fields[i].name, json_real(*field_of(&copy, i)));
  char stamp[32];
  json_object_set_new(entry, "when", json_string(atl_timer_stamp(stamp)));
  json_object_set_new(root, key, entry);
  atl_status_t status = atl_json_save(root, path);
  json_decref(root);
  return status;
}

atl_status_t atl_costs_put(const char *path, const char *key, const atl_calibration_t *calibration) {
  char folder[4096];
  const char *slash = strrchr(path, '/');
  ATL_CHECK(slash != NULL && (size_t)(slash - path) < sizeof folder, INPUT, "%s: expected the path of a costs file",
            path);
  memcpy(folder, path, (size_t)(slash - path));
  folder[slash - path] = '\0';
  ATL_TRY(atl_file_make_directory(folder));
  int descriptor = lock(folder);
  atl_status_t status = put_entry(path, key, calibration);
  if (descriptor >= 0) close(descriptor);
  return status;
}

/* ---- a plan's costs ---- */

/* The key names everything the seconds depend on. */
static atl_status_t make_key(const atl_model_t *model, const atl_costs_subject_t *subject, atl_arena_t *arena,
                             char **key) {
  const atl_calibration_spec_t *spec = &subject->spec;
  char cpu[128];
  const char *parts = !spec->has_decoder ? "ring" : spec->is_ranked ? "ring dvae clip" : "ring dvae";
  return atl_arena_printf(arena, key, "%.16s, %s, %d ranks of %d threads, %d x %d rows, %s, %s cache, %s, %s",
                          model->digest, atl_cpu_describe(cpu, sizeof cpu), subject->n_ranks, omp_get_max_threads(),
                          (int)spec->microbatch, (int)spec->n_streams, atl_dtype_name(spec->dtype),
                          atl_dtype_name(spec->kv), atl_backend_name(spec->backend), parts);
}

static void use(const atl_calibration_t *c, int32_t microbatch, atl_plan_request_t *request) {
  double hop = request->costs.hop;
  request->costs = (atl_costs_t){.microbatch = microbatch,
                                 .layer = c->layer,
                                 .head = c->head,
                                 .embed = c->embed,
                                 .draw = c->draw,
                                 .layer_fixed = c->layer_fixed,
                                 .head_fixed = c->head_fixed,
                                 .prefill_row = c->prefill_row,
                                 .hop = hop,
                                 .decode = c->decode,
                                 .score = c->score,
                                 .is_measured = true};
  request->cache_per_rank = 0; /* the measured seconds already include what the cache saves */
}

/* Estimated seconds of measuring: two texts, half an image, a dozen steps of up to four layers, two pictures. */
static double measuring_seconds(const atl_plan_request_t *q) {
  const atl_costs_t *c = &q->costs;
  int n_layers = q->n_layers < 4 ? q->n_layers : 4;
  double rows = 2.0 * (q->text_length + 1) + 0.5 * (q->n_prime + q->n_drawn);
  return load_seconds + n_layers * (rows * c->prefill_row + 12 * c->layer) + 12 * c->head + c->draw +
         2 * (c->decode + c->score);
}

bool atl_costs_should_measure(const atl_plan_request_t *request) {
  atl_plan_t plan;
  return atl_plan_make(request, &plan) == ATL_OK && plan.seconds > min_payoff_ratio * measuring_seconds(request);
}

static atl_status_t find_entry(const atl_model_t *model, const atl_costs_subject_t *subject, atl_arena_t *arena,
                               char **path, char **key) {
  ATL_TRY(atl_costs_path(arena, path));
  return make_key(model, subject, arena, key);
}

atl_status_t atl_costs_lookup(const atl_model_t *model, const atl_costs_subject_t *subject, atl_plan_request_t *request,
                              bool *is_known) {
  atl_arena_t arena = {0};
  char *path, *key;
  atl_calibration_t calibration;
  atl_status_t status = find_entry(model, subject, &arena, &path, &key);
  *is_known = status == ATL_OK && path != NULL && atl_costs_get(path, key, &calibration);
  if (*is_known) use(&calibration, subject->spec.microbatch, request);
  atl_arena_clear(&arena);
  return status;
}

atl_status_t atl_costs_store(const atl_model_t *model, const atl_costs_subject_t *subject,
                             const atl_calibration_t *calibration, atl_plan_request_t *request) {
  atl_arena_t arena = {0};
  char *path, *key;
  atl_status_t status = find_entry(model, subject, &arena, &path, &key);
  if (status == ATL_OK) {
    use(calibration, subject->spec.microbatch, request);
    if (path == NULL)
      ATL_LOG_ROOT(
          INFO, "the model's costs on this machine are not stored: there is no XDG_CACHE_HOME, HOME or home directory");
    else if (atl_costs_put(path, key, calibration) == ATL_OK)
      ATL_LOG_ROOT(INFO, "stored the model's costs on this machine in %s", path);
    else
      ATL_LOG_ROOT(INFO, "the model's costs on this machine could not be stored: %s", atl_status_message());
  }
  atl_arena_clear(&arena);
  return status;
}
